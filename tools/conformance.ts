/**
 * docs/tcp-conformance.md: what RFC 9293 says that a TCP MUST do, each with the tests that show it. `npx tsx tools/conformance.ts` writes the
 * document; spec/tools/conformance.test.ts holds that it is up to date, and that no requirement is without a test or a reason.
 *
 * A test says which requirements it shows by MUST-n in its name, at the beginning and separated by commas: "MUST-14, MUST-65: the options of …".
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import { ROOT, isProgram } from "./paths.ts";

export const DOCUMENT = join("docs", "tcp-conformance.md");

interface Requirement {
  number: number;
  section: string;
  text: string;
  /** Why it is not done, or not quite. */
  deviation?: string;
}

function must(number: number, section: string, text: string, deviation?: string): Requirement {
  return deviation === undefined ? { number, section, text } : { number, section, text, deviation };
}

const SOURCE_ROUTE =
  "Deliberately not done. RFC 7126 (4.3, 4.4) advises to drop packets with source routes; net/ipv4.ts does, and counts them (`ipSourceRoute`).";

export const REQUIREMENTS: readonly Requirement[] = [
  must(1, "3.1", "The window is an unsigned number."),
  must(2, "3.1", "The sender makes the checksum."),
  must(3, "3.1", "The receiver checks it."),
  must(4, "3.1", "Options: end of list, no-operation, MSS."),
  must(5, "3.1", "Options are taken in any segment."),
  must(6, "3.1", "Options that are not known are ignored, by their length."),
  must(7, "3.1", "Options of an illegal length do no harm."),
  must(8, "3.4.1", "Initial sequence numbers are driven by a clock."),
  must(9, "3.4.1", "Nobody outside can compute the function that is added to the clock."),
  must(10, "3.5", "Simultaneous opens."),
  must(11, "3.5", "SYN-RECEIVED remembers whether the open was passive or active."),
  must(12, "3.6", "The application hears whether a connection was closed or aborted."),
  must(
    13,
    "3.6.1",
    "TIME-WAIT for 2 MSL after an active close.",
    "Where there are more of these than memory is set aside for (10 for each frame; `tcpTimeWaitsCut` counts), the oldest ends early; and a `connect` of our own takes one over when timestamps keep the two apart (Linux: `tcp_tw_reuse`).",
  ),
  must(14, "3.7.1", "The MSS option is sent and received."),
  must(15, "3.7.1", "Without the option the peer takes 536 bytes (IPv4), 1220 (IPv6)."),
  must(
    16,
    "3.7.1",
    "The payload is the smaller of what the peer and what IP takes, less options.",
    "An MSS below 88 is taken for 88: with segments of a few bytes a peer could make us do any amount of work (as Linux: `tcp_min_snd_mss`).",
  ),
  must(17, "3.7.4", "Nagle's algorithm can be turned off for a connection."),
  must(18, "3.8.1", "The retransmission time-out is that of RFC 6298, with Karn's algorithm."),
  must(19, "3.8.2", "Slow start, congestion avoidance, exponential back-off."),
  must(20, "3.8.3", "R1 is negative advice to the network layer, R2 the end of the connection."),
  must(21, "3.8.3", "The application can set R2 of a connection."),
  must(22, "3.8.3", "The same for retransmissions of a SYN."),
  must(
    23,
    "3.8.3",
    "R2 of a SYN is at least three minutes.",
    "A SYN,ACK of a listener that more than half of its 256 requests are taken of is repeated for 7 s only, and one with a cookie not at all (RFC 4987): the client repeats its SYN.",
  ),
  must(24, "3.8.4", "Keep-alive can be turned on and off for a connection."),
  must(25, "3.8.4", "It is off by default."),
  must(26, "3.8.4", "Probes only when nothing is outstanding, and nothing came for the interval."),
  must(27, "3.8.4", "The interval can be configured."),
  must(28, "3.8.4", "By default it is two hours at least."),
  must(29, "3.8.4", "One probe without an answer is no sign of death."),
  must(30, "3.8.5", "The urgent mechanism is there."),
  must(31, "3.8.5", "Urgent data of any length."),
  must(32, "3.8.5", "The application is told when the urgent pointer comes or advances."),
  must(33, "3.8.5", "It can learn how much urgent data is still to be read."),
  must(34, "3.8.6", "A window that shrinks does no harm."),
  must(35, "3.8.6", "One that shrinks to zero is probed."),
  must(36, "3.8.6.1", "A window of zero is probed."),
  must(37, "3.8.6.1", "As long as probes are answered the connection stays."),
  must(38, "3.8.6.2.1", "The sender avoids silly windows."),
  must(39, "3.8.6.2.2", "The receiver avoids silly windows."),
  must(40, "3.8.6.3", "An acknowledgement is delayed by less than half a second."),
  must(41, "3.9.1.1", "A passive open touches no connection that is there."),
  must(42, "3.9.1.1", "One can listen on the port of a connection in SYN-SENT or SYN-RECEIVED."),
  must(43, "3.9.1.1", "An open can name the local address."),
  must(44, "3.9.1.1", "If it does not, the network layer chooses."),
  must(45, "3.9.1.1", "A connection keeps its local address."),
  must(46, "3.9.1.1", "An open to an address that no host can have fails."),
  must(47, "3.9.1.8", "Soft errors are reported to the application."),
  must(48, "3.9.1.9", "The application can set the Differentiated Services field."),
  must(49, "3.9.2", "The time to live can be configured."),
  must(50, "3.9.2", "Options of IP that TCP does not understand are ignored."),
  must(51, "3.9.2.1", "The application can give a source route.", SOURCE_ROUTE),
  must(52, "3.9.2.1", "That goes before one that was received.", SOURCE_ROUTE),
  must(53, "3.9.2.1", "The return route of a passive open is kept and used.", SOURCE_ROUTE),
  must(54, "3.9.2.2", "ICMP errors get to the connection that they are about."),
  must(55, "3.9.2.2", "Source quench is discarded in silence."),
  must(56, "3.9.2.2", "Soft ICMP errors end no connection."),
  must(57, "3.9.2.3", "A SYN to a broadcast or multicast address is discarded in silence."),
  must(58, "3.10.7.4", "Acknowledgements are aggregated."),
  must(59, "3.10.7.4", "Queued segments are all dealt with before an acknowledgement goes."),
  must(60, "3.9.1.2", "Without a PUSH flag, nothing is kept back for ever."),
  must(61, "3.9.1.2", "And the last segment that there is to be sent has PSH."),
  must(62, "3.8.5", "The urgent pointer points to the octet behind the urgent data."),
  must(63, "3.9.2.3", "A SYN from an address that no host can have is ignored."),
  must(64, "3.2", "Options may begin anywhere, on no word boundary."),
  must(65, "3.2", "MSS on no segment without SYN."),
  must(66, "3.4", "RST and URG are looked at while the window is zero."),
  must(67, "3.7.1", "The MSS that is offered is no more than can be received."),
  must(68, "3.1", "All options but end of list and no-operation have a length."),
  must(69, "3.1", "Behind the end of the list there are only zeros."),
];

export interface NamedTest {
  /** Relative to the checkout, with slashes. */
  file: string;
  name: string;
}

const TEST = /^\s*(?:it|test)\(\s*"((?:[^"\\]|\\.)*)"/gm;
const NUMBERS = /^MUST-\d+(?:, MUST-\d+)*/;

/** The numbers that a test's name begins with. */
export function mustsOf(name: string): number[] {
  return [...(name.match(NUMBERS)?.[0] ?? "").matchAll(/\d+/g)].map(([number]) => Number(number));
}

/** All tests below spec/ whose names begin with a MUST. */
export function namedTests(): NamedTest[] {
  const files = readdirSync(join(ROOT, "spec"), { recursive: true, encoding: "utf8" });
  return files
    .filter((name) => /\.(spec|test)\.ts$/.test(name))
    .sort()
    .flatMap((name) => {
      const path = join("spec", name);
      return [...readFileSync(join(ROOT, path), "utf8").matchAll(TEST)]
        .map(([, test = ""]) => ({ file: path.split(sep).join("/"), name: test }))
        .filter(({ name: test }) => mustsOf(test).length > 0);
    });
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

/** The document, for these tests. */
export function conformanceDocument(tests: readonly NamedTest[]): string {
  const rows = REQUIREMENTS.map(({ number, section, text, deviation }) => {
    const shown = tests
      .filter(({ name }) => mustsOf(name).includes(number))
      .map(({ file, name }) => `\`${file}\`: ${cell(name.replace(NUMBERS, "").replace(/^:? /, ""))}`);
    const notes = deviation === undefined ? shown : [...shown, `**Deviation.** ${cell(deviation)}`];
    return `| ${number} | ${section} | ${cell(text)} | ${notes.join("<br>")} |`;
  });
  return `${HEAD}\n| MUST | section | in short | shown by |\n|---|---|---|---|\n${rows.join("\n")}\n`;
}

const HEAD = `# RFC 9293: every MUST

One row for each requirement that RFC 9293 numbers as MUST-1 to MUST-69, in our words, with the tests that show it: the file, and the name of the
test without its numbers. Where aemos does otherwise, or not quite, the row says so and why.

\`npx tsx tools/conformance.ts\` writes this page from the names of the tests and the list in that file; \`npm test\` fails when it is not up to date.

## Of the SHOULDs

| what | how |
|---|---|
| SHLD-1, ISN by a keyed function (RFC 6528) | done, SipHash. Of a SYN cookie only a clock of 69 s is left (\`net/socket/tcp/cookie.ts\`). |
| SHLD-3, a reset when data is lost by close | done |
| SHLD-4, TIME-WAIT shortened by timestamps (RFC 6191) | done, for the SYNs of a peer and for our own (\`net/socket/tcp/timewait.ts\`) |
| SHLD-7, Nagle; SHLD-18, delayed acknowledgements; SHLD-19, every second full segment at once | done; of those that wait together one acknowledgement goes for all (MUST-59) |
| SHLD-9 to 11, R1 and R2 | R1 at three retransmissions, told by \`POLLMSG\`; R2 at 11, about 3.7 minutes at the shortest |
| SHLD-12, keep-alive probes without data | done |
| SHLD-13, applications should not use urgent data | \`MSG_OOB\` is for protocols that ask for it |
| SHLD-14 to 17, windows that shrink | ours never does; a peer's is met |
| SHLD-20, soft errors can be turned off | who does not ask for \`POLLMSG\` does not hear of them |
| SHLD-21 to 23, the Differentiated Services field | can be changed at any time; the bits of ECN are TCP's own |
| SHLD-26, a hard ICMP error ends a connection | only while it is being opened: anybody can send one (RFC 5927). Later it is a soft error. |
| RFC 6298, 2.4, a time-out of 1 s at least | 200 ms, as Linux: round trips and delayed acknowledgements are shorter today |
| RFC 5961, blind attacks | done: exact RST, challenge acknowledgements, at most one in half a second for each connection |

## The table
`;

if (isProgram(import.meta.url)) writeFileSync(join(ROOT, DOCUMENT), conformanceDocument(namedTests()));
