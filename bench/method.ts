/** How the rows are measured: a part of docs/performance.md (report.ts). */
export const MEASURED = `## How it is measured

\`npm run bench\` does all of this; \`--only PREFIX\` measures the rows whose names begin so, \`--quick\` takes shorter turns and leaves out the largest numbers, the tap device and \`memory.smallest\`, \`--json FILE\` writes the
rows, and \`npx tsx bench/report.ts FILE\` makes this page of them.

Linux is Debian's cloud kernel as its package has it (\`apt-get download\`), with one static program in an initramfs (\`bench/linux/\`): the same services over epoll, one thread,
and the same measurements inside of the guest. It has the mitigations that it turns on by itself. Both guests run in the same QEMU with the same devices and clients. Instructions are counted
under tcg, and memory where that is done inside of a guest that counts. What is measured in real time, and \`memory.smallest\`, runs under KVM where the host's runs ring 0 natively (\`tools/accelerator.ts\`), and the notes of what is in real time say so then; else under tcg as well.

- **Instructions** are the guest's, under \`-cpu qemu64\`: the same on every host. Inside of a guest they are read from the time-stamp counter with \`-icount shift=0\`, where a tick is an instruction,
  and what reading it costs is taken off; medians of 101 (aemos) and 201 (Linux). From an interrupt on they are counted from outside, by the tcg plugin \`bench/bursts.c\`: from the first
  instruction of the interrupt's stub, taken while the processor had halted, to the first of the handler. In Linux the handler is the function that is called with the data in place.
- **Instructions on the frame wire** (\`tcp.segment.*\`, \`tcp.connection\`, \`http.request.*\`; \`bench/counted.ts\`) are all that runs from the end of one operation to the end of the next, timers and what the driver
  does for many frames at once among it; what the guest does by itself in as long a time is taken off, and the notes say how much that was. Rounds with more or fewer frames than most are left out (something was sent again, or came by itself),
  and of the segments those that a busy host took apart, more than 6 % off the middle; the notes say how many stayed.
- **Instructions per operation** are all that the guest executes while a client asks, what it executes by itself taken off, by the operations that the client counted (\`bench/total.c\`).
- **Rates** are what the clients see: wrk, ab, and \`bench/client.c\` for echo and bulk transfers. Both guests stand ready, and are asked by turns; medians of three. They depend on
  the host, and on what else runs there: the notes say how busy it was. Over user networking TCP ends in QEMU, which hands each piece from thread to thread; on a tap device in a network
  namespace of its own it ends in the guest, and segments may be merged and cut (vnet_hdr). wrk shows a worst latency of 0.4 to 1.7 s over user networking, with either guest: the listener of QEMU's
  is too short for 16 connections at once, and the host's TCP asks again after a while.
- **Memory** of events, timers and connections is what is free less after so many more. \`memory.smallest\` is looked for by halving.
- **With so many registered** (\`.1k\` to \`.1m\`): the others are timer events here (\`bench/apps/costs\`), armed for a time that does not come, and eventfds in the epoll set or timerfds on Linux.
- **With so many connections** (\`tcp.echo.crowd\`): a peer made of frames in Node opens them, and then one more, on which it asks.
- **Full load** (\`bench/apps/load.json\`, \`bench/linux/load.c\`): a periodic timer of the highest priority, and below it two processes that compute, one with a thousand periodic timers, and one that
  takes a flood of datagrams. The period is a prime, so that calls are due anywhere between two ticks of a wheel, and a call is late from the time at which it is due.
- **Interrupts off** (\`bench/sections.c\`): the plugin follows \`cli\`, \`sti\`, \`iretq\` and the stubs, and keeps the longest section of each place where one begins. What runs before the first application
  does not count.
- **Lossy links** (\`bench/lossy.ts\`): in real time, with the link of \`spec/wire/link.ts\` and a peer whose window is 64 KiB; it gives SACK for what it receives, and as a
  sender counts duplicates (RFC 6582), has no congestion control and offers no SACK. Three links that lose other
  frames, all at the same time, the median of them; nothing else runs beside.
- **Response under load** (\`bench/apps/response\`, \`bench/linux/response.c\`): virtual time. A request is 200 µs of work on either system: how many turns of the same loop that is each server finds out by the guest's
  clock, and the measurement fails where it is off by 0.2 %. So capacity is 5,000 a second for both, goodput what was done of it before the load ended. All response times are kept, none is cut off.
- **Programs that compute** (\`bench/apps/quality\`, its \`native/\`): the same statements in AssemblyScript and in C, whose results have to agree. The C is compiled by gcc -O2 and linked into
  the same image, where the application calls it; Linux has no part in these rows, the ratio is to gcc.`;
