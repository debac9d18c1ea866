/** RFC 9293, 3.8.5 and RFC 6093: the urgent mechanism, against a scripted peer. */
import { Socket } from "../../../net/socket/socket";
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { IPPROTO_TCP, TCP_URGENT } from "../../../sdk/socket";
import { chance, seedChance } from "../../chance";
import {
  abort_,
  accept,
  close,
  connect,
  consume,
  create,
  getOption,
  listener,
  peekLength,
  poll,
  read,
  readText,
  setOption,
  shutdown,
  taken,
  watch,
  write,
  writeText,
} from "./ends";
import { endPair, openPair } from "./pair";
import { heard, heardBriefly, meetPeer, say, sayUrgent } from "./script";
import {
  accidents,
  calm,
  MILLISECOND,
  MIRROR,
  outbox,
  run,
  SECOND,
  settleWorld,
  setUpWorld,
  silence,
} from "./world";

const POLLIN: u32 = 1;
const POLLPRI: u32 = 2;

let server: Socket = changetype<Socket>(0);
let s: Socket = changetype<Socket>(0);

function open(window: u32 = 10000): TcpConnection {
  s = openPair(server, window, 1000);
  watch(0, s, POLLPRI);
  return changetype<TcpConnection>(s);
}

/** Urgent octets that are still to be read. */
function ahead(): i32 {
  return getOption(s, IPPROTO_TCP, TCP_URGENT);
}

/** Lets acknowledgements that were delayed go. */
function rest(): void {
  run(SECOND);
  heard();
}

describe("urgent data", () => {
  beforeAll(() => {
    setUpWorld();
    seedChance(66);
    meetPeer();
  });
  beforeEach(() => {
    server = listener(80, 5);
  });
  afterEach(() => {
    endPair(server, s);
  });

  it("MUST-30, MUST-32: tells the application when it comes, and each time the pointer advances", () => {
    open();
    sayUrgent("P.", 1, 3, 1, 10000, 3);
    expect(taken()).toBe("2");
    expect(poll(s) & (POLLIN | POLLPRI)).toBe(POLLIN | POLLPRI);
    sayUrgent("P.", 4, 3, 1, 10000, 0);
    expect(taken()).toBe("", "the same pointer again");
    sayUrgent("P.", 7, 3, 1, 10000, 3);
    expect(taken()).toBe("2", "it has advanced");
    sayUrgent(".", 10, 0, 1, 10000, 100);
    expect(taken()).toBe("2", "without data: it is still to come");
    expect(ahead()).toBe(109);
    rest();
  });

  it("MUST-33: says how much of it is still to be read, which is in line", () => {
    open();
    expect(ahead()).toBe(0);
    sayUrgent("P.", 1, 6, 1, 10000, 4);
    expect(ahead()).toBe(4);
    consume(s, 3);
    expect(ahead()).toBe(1);
    expect(poll(s) & POLLPRI).toBe(POLLPRI);
    expect(peekLength(s)).toBe(3, "the rest, with the urgent octet in it");
    consume(s, 1);
    expect(ahead()).toBe(0);
    expect(poll(s) & (POLLIN | POLLPRI)).toBe(POLLIN);
    expect(readText(s)).toBe("fg");
    rest();
  });

  it("MUST-31: urgent data may be of any length", () => {
    open();
    let at: u32 = 1;
    // 300,000 urgent octets: the pointer runs ahead of each segment.
    const end: u32 = 300001;
    while (at < end) {
      const length = min<u32>(1000, end - at);
      sayUrgent(".", at, length, 1, 10000, min<u32>(end - at, 65535));
      at += length;
      assert(<u32>ahead() == min<u32>(end - (at - length), 65535));
      consume(s, length);
    }
    expect(ahead()).toBe(0);
    expect(poll(s) & POLLPRI).toBe(0);
    rest();
  });

  it("MUST-62, MUST-31: the pointer that is sent is that of the octet behind the urgent data, however far", () => {
    open(60000);
    setOption(s, IPPROTO_TCP, 1, 1);
    writeText(s, "abc", true);
    expect(heard()).toBe("PU. 1:4(3) ack 1 win 65535 urg 3");
    writeText(s, "de");
    expect(heardBriefly()).toBe("P. 4:6(2) ack 1", "what follows is not urgent");
    say(".", 1, 0, 6, 60000);
    write(s, 0, 0, 2500);
    expect(heardBriefly()).toBe(". 6:1006(1000) ack 1 | . 1006:2006(1000) ack 1 | P. 2006:2506(500) ack 1");
    writeText(s, "f", true);
    expect(heardBriefly()).toBe("PU. 2506:2507(1) ack 1");
    expect(silence(5000)).toBeGreaterThan(100);
    expect(heard()).toBe(
      "U. 6:1006(1000) ack 1 win 65535 urg 2501",
      "a retransmission of what is before it points to it",
    );
    say(".", 1, 0, 2507, 60000);
    writeText(s, "g");
    expect(heardBriefly()).toBe("P. 2507:2508(1) ack 1");
    say(".", 1, 0, 2508, 60000);
  });

  it("points as far as the field can, and further as the stream gets there", () => {
    const c = open(60000);
    const length = write(s, 0, 0, 90000);
    expect(length).toBe(90000);
    heard();
    writeText(s, "!", true);
    expect(heard()).toBe(
      "U. 10001:10001(0) ack 1 win 65535 urg 65535",
      "announced: what is in front of it has to wait",
    );
    let acked: u32 = 1;
    let last = "";
    while (acked < 90002) {
      acked = c.SND_NXT - c.ISS;
      say(".", 1, 0, acked, 60000);
      const lines = heard().split(" | ");
      for (let i = 0; i < lines.length; i++) {
        if (lines[i] == "") continue;
        const first = <u32>parseInt(lines[i].substring(lines[i].indexOf(" ") + 1));
        const mark = lines[i].indexOf(" urg ");
        assert(mark > 0, lines[i]);
        expect(<u32>parseInt(lines[i].substring(mark + 5))).toBe(min<u32>(90002 - first, 65535));
        last = lines[i];
      }
    }
    expect(last).toBe("PU. 90001:90002(1) ack 1 win 65535 urg 1");
    writeText(s, "x");
    expect(heardBriefly().startsWith("P. 90002")).toBe(true, "no URG behind it");
    say(".", 1, 0, 90003, 60000);
  });

  it("MUST-66: URG and RST are looked at while the window is zero", () => {
    const c = open();
    let at: u32 = 1;
    while (c.receiveWindow >= 1460) {
      say(".", at, 1460, 1, 10000);
      at += 1460;
      assert(c.RCV_NXT - c.IRS == at);
    }
    if (c.receiveWindow != 0) {
      say(".", at, c.receiveWindow, 1, 10000);
      at = c.RCV_NXT - c.IRS;
    }
    rest();
    expect(c.receiveWindow).toBe(0);
    expect(taken()).toBe("");
    sayUrgent(".", at, 1, 1, 10000, 5);
    expect(taken()).toBe("2", "with a probe");
    sayUrgent(".", at, 0, 1, 10000, 9);
    expect(taken()).toBe("2", "without data");
    expect(ahead()).toBe(c.receivedBytes + 9);
    heard();
    say("R", at, 0, 0, 0);
    expect(peekLength(s)).toBeGreaterThan(0);
    expect(c.state).toBe(7);
    expect(c.error).toBe(104);
  });

  it("announces urgent data through a window of zero, and is not held by Nagle", () => {
    open(10000);
    writeText(s, "a");
    heard();
    writeText(s, "b", true);
    expect(heard()).toBe("PU. 2:3(1) ack 1 win 65535 urg 1", "at once");
    say(".", 1, 0, 3, 0);
    writeText(s, "c", true);
    expect(heard()).toBe("U. 3:3(0) ack 1 win 65535 urg 1");
    expect(silence(5000)).toBeGreaterThan(100);
    expect(heard()).toBe("U. 3:4(1) ack 1 win 65535 urg 1", "a probe says it, too");
    say(".", 1, 0, 4, 1000);
  });

  it("has no urgent data behind the end of the stream", () => {
    open();
    sayUrgent("P.", 1, 3, 1, 10000, 500);
    expect(ahead()).toBe(500);
    sayUrgent("F.", 4, 2, 1, 10000, 600);
    expect(ahead()).toBe(5);
    expect(readText(s)).toBe("bcdef");
    expect(ahead()).toBe(0);
    expect(poll(s) & POLLPRI).toBe(0);
    rest();
    close(s);
    open();
    sayUrgent(".", 1, 0, 1, 10000, 10);
    say("F.", 1, 0, 1, 10000);
    expect(ahead()).toBe(0);
    expect(poll(s) & POLLPRI).toBe(0);
    rest();
    close(s);
    open();
    sayUrgent("P.", 1, 3, 1, 10000, 3);
    shutdown(s, 0);
    expect(poll(s) & POLLPRI).toBe(0, "nobody reads any more");
    sayUrgent("P.", 4, 3, 1, 10000, 3);
    expect(poll(s) & POLLPRI).toBe(0);
    rest();
  });

  it("believes no hostile pointer: thousands of segments, against a model", () => {
    const c = open();
    let at: u32 = 1;
    let read: u32 = 1;
    let mark: u32 = 0;
    for (let i = 0; i < 20000; i++) {
      const length = chance(40);
      const pointer = chance(3) == 0 ? chance(65536) : chance(60);
      // From before, in order, behind a gap, or far off the window.
      const kind = chance(6);
      const from = kind == 0 ? at - min<u32>(at - 1, chance(50)) : kind == 1 ? at + 3000000 : at;
      const counts = kind != 1 && (from == at || from + length > at);
      if (chance(2) == 0) {
        say(".", from, length, 1, 10000);
      } else {
        sayUrgent(".", from, length, 1, 10000, pointer);
        if (counts && from + pointer > max(mark, read)) mark = from + pointer;
      }
      if (kind != 1 && from + length > at) at = from + length;
      assert(c.RCV_NXT - c.IRS == at);
      if (chance(3) == 0 && c.receivedBytes != 0) {
        const bytes = 1 + chance(c.receivedBytes);
        consume(s, bytes);
        read += bytes;
      }
      assert(<u32>ahead() == (mark > read ? mark - read : 0));
      assert(((poll(s) & POLLPRI) != 0) == mark > read);
      outbox.length = 0;
      if (chance(50) == 0) rest();
    }
    rest();
  });

  it("keeps the pointer with its octet through loss, reordering, duplication and refusal", () => {
    for (let schedule: u32 = 0; schedule < 300; schedule++) {
      seedChance(schedule + 1);
      calm();
      const client = create();
      connect(client, MIRROR, 80);
      run(100 * MILLISECOND);
      const peer = accept(server)!;
      setOption(client, IPPROTO_TCP, 1, <i32>(schedule & 1));
      accidents.loss = chance(150);
      accidents.duplicate = chance(100);
      accidents.jitter = chance(3000000);
      accidents.refuse = chance(100);
      let written: u32 = 0;
      let marked: u32 = 0;
      let done: u32 = 0;
      while (written < 60000) {
        const urgently = chance(4) == 0;
        const part = write(client, 1, written, 1 + chance(3000), urgently);
        written += part;
        if (part != 0 && urgently) marked = written;
        run(<u64>chance(5000000));
        const c = changetype<TcpConnection>(peer);
        const urgent = <u32>getOption(peer, IPPROTO_TCP, TCP_URGENT);
        assert(urgent == 0 || done + urgent <= marked, "urgent data that nobody has sent");
        assert((urgent != 0) == ((poll(peer) & POLLPRI) != 0));
        if (chance(3) == 0) done += read(peer, 1, done, chance(c.receivedBytes + 1));
      }
      const c = changetype<TcpConnection>(client);
      for (let i = 0; i < 600 && c.SND_UNA != c.writeSequence; i++) run(SECOND);
      assert(c.SND_UNA == c.writeSequence, "all is acknowledged");
      const urgent = <u32>getOption(peer, IPPROTO_TCP, TCP_URGENT);
      assert(done + urgent == max(done, marked), "and the last pointer known");
      done += read(peer, 1, done, 100000);
      assert(done == written);
      assert(getOption(peer, IPPROTO_TCP, TCP_URGENT) == 0);
      abort_(client);
      run(SECOND);
      abort_(peer);
      settleWorld();
    }
    open();
  });

  it("forgets its pointers with the connection", () => {
    open();
    sayUrgent("P.", 1, 3, 1, 10000, 3000);
    say("R", 4, 0, 0, 0);
    expect(poll(s) & POLLPRI).toBe(0);
  });
});
