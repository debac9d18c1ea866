/**
 * Makes socket calls for the frame peer, which asks for them in datagrams to UDP port 2200 (spec/wire/control.ts), so that a scenario
 * can open, use and close connections from the application's side. Sockets never block: a call that would have to wait is -EAGAIN.
 *
 *     request   u32 number, u32 call, i32 a, i32 b, i32 c, data          little-endian
 *     answer    u32 number, i32 result, data
 *
 * A request may come twice when its answer was lost. It is made once: the last answers are kept and sent again.
 */
import { MSG_DONTWAIT, SOCKADDR_SIZE, bindUdp, enter_keepalive, onRead, sendto } from "../../../../sdk";
import { perform } from "./calls";

const PORT: u32 = 2200;
const REQUEST_HEADER: i32 = 20;
const ANSWER_HEADER: i32 = 8;
const ANSWER_DATA: i32 = 1400;
/** Answers that are kept: more than a peer has requests under way. */
const KEPT: u32 = 128;

/** An entry: i32 length of the answer (0: none yet), the answer. */
const ENTRY: usize = 4 + <usize>(ANSWER_HEADER + ANSWER_DATA);
const answers = heap.alloc(<usize>KEPT * ENTRY);

function asked(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length < REQUEST_HEADER || from == 0) return;
  const number = load<u32>(data);
  const entry = answers + <usize>(number % KEPT) * ENTRY;
  const answer = entry + 4;
  if (load<i32>(entry) == 0 || load<u32>(answer) != number) {
    store<u32>(answer, number);
    const bytes = perform(
      load<u32>(data, 4),
      load<i32>(data, 8),
      load<i32>(data, 12),
      load<i32>(data, 16),
      data + REQUEST_HEADER,
      length - REQUEST_HEADER,
      answer + 4,
      ANSWER_DATA,
    );
    store<i32>(entry, ANSWER_HEADER + bytes);
  }
  sendto(fd, answer, load<i32>(entry), MSG_DONTWAIT, from, SOCKADDR_SIZE);
}

export function main(): i32 {
  memory.fill(answers, 0, <usize>KEPT * ENTRY);
  const fd = bindUdp(PORT);
  if (fd < 0) return -fd;
  const jid = onRead(fd, asked);
  if (jid < 0) return -jid;
  while (true) enter_keepalive();
}
