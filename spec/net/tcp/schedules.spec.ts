/**
 * The stack against itself, with a fate for each packet: lost, repeated, marked by a router, or overtaken. Both streams have to arrive octet for octet and
 * without a stall, and the scoreboards have to be right at every step. A schedule that fails is cut down to the packets whose fate matters, and
 * printed with its seed.
 */
import { chance, seedChance } from "../../chance";
import { Socket } from "../../../net/socket/socket";
import { TcpConnection } from "../../../net/socket/tcp/tcp";
import { TCP_CLOSE, TCP_SYN_SENT } from "../../../net/socket/tcp/state";
import {
  abort_,
  accept,
  close,
  connect,
  consume,
  create,
  listener,
  octet,
  peek,
  peekLength,
  shutdown,
  write,
} from "./ends";
import {
  FATE_DELAY,
  FATE_DUPLICATE,
  FATE_LOSE,
  FATE_MARK,
  FATE_NONE,
  scheduleFates,
  stripSack,
  stripStamps,
} from "./fates";
import { scoreboardFault } from "./scoreboard";
import { cuts, merges } from "./segments";
import {
  accidents,
  leftOver,
  MILLISECOND,
  MIRROR,
  offer,
  SECOND,
  settleWorld,
  setUpWorld,
  step,
  time,
} from "./world";

/** Packets that have a fate; those behind them arrive. */
const PACKETS: i32 = 160;
/**
 * A transfer that takes longer has stalled: a segment that is lost seven times after a lost SYN is sent again after 3 + 6 + … + 60 s, and without SACK the next two may
 * be, too: 640 s.
 */
const LIMIT: u64 = 700 * SECOND;
let limit: u64 = LIMIT;

/** Frames in a thousand that the device refuses. */
let refused: u32 = 0;

class Side {
  socket: Socket;
  stream: u32;
  toSend: u32;
  sent: u32 = 0;
  received: u32 = 0;
  shut: bool = false;

  constructor(socket: Socket, stream: u32, toSend: u32) {
    this.socket = socket;
    this.stream = stream;
    this.toSend = toSend;
  }

  /** Writes and reads all that can be. What is wrong, or "". */
  work(): string {
    const s = this.socket;
    if (this.sent < this.toSend) this.sent += write(s, this.stream, this.sent, this.toSend - this.sent);
    else if (!this.shut) {
      shutdown(s, 1);
      this.shut = true;
    }
    for (let data = peek(s); data != 0; data = peek(s)) {
      const length: u32 = peekLength(s);
      for (let i: u32 = 0; i < length; i++)
        if (load<u8>(data + i) != octet(1 - this.stream, this.received + i))
          return "octet " + (this.received + i).toString() + " is wrong";
      consume(s, length);
      this.received += length;
    }
    return scoreboardFault(changetype<TcpConnection>(s));
  }
}

/** Up to how many ms later a packet may arrive than it would. */
let latest: u32 = 60;

/** A connection, `up` and `down` octets, closed in order. What went wrong, or "". */
function transfer(up: u32, down: u32, sack: bool, fates: u8[]): string {
  scheduleFates(fates);
  stripSack(!sack);
  const server = listener(7, 5);
  const socket = create();
  connect(socket, MIRROR, 7);
  accidents.delay = 5 * MILLISECOND;
  accidents.refuse = refused;
  const client = new Side(socket, 0, up);
  let peer: Side | null = null;
  const end = time + limit;
  let fault = "it stalls";
  while (time < end) {
    if (peer === null) {
      const child = accept(server);
      if (child !== null) peer = new Side(child, 1, down);
    }
    let wrong = "";
    if (changetype<TcpConnection>(socket).state == TCP_CLOSE) wrong = "the connection failed";
    else if (changetype<TcpConnection>(socket).state != TCP_SYN_SENT) wrong = client.work();
    if (peer !== null && wrong == "") wrong = peer.work();
    if (wrong != "") {
      fault = wrong;
      break;
    }
    if (peer !== null && client.shut && peer.shut && client.received == down && peer.received == up) {
      fault = "";
      break;
    }
    if (!step()) break;
  }
  if (fault == "") {
    close(socket);
    if (peer !== null) close(peer.socket);
  } else {
    abort_(socket);
    if (peer !== null) abort_(peer.socket);
  }
  close(server);
  scheduleFates([]);
  stripSack(false);
  settleWorld();
  return fault != "" ? fault : leftOver();
}

/** The fates that `seed` names. */
function fatesOf(): u8[] {
  const fates: u8[] = [];
  const loss = chance(200);
  const duplicate = chance(60);
  const mark: u32 = chance(3) == 0 ? chance(300) : 0;
  const delay: u32 = chance(2) == 0 ? 0 : chance(400);
  for (let i = 0; i < PACKETS; i++) {
    if (chance(1000) < loss) fates.push(FATE_LOSE);
    else if (chance(1000) < duplicate) fates.push(FATE_DUPLICATE);
    else if (chance(1000) < mark) fates.push(FATE_MARK);
    else if (chance(1000) < delay) fates.push(FATE_DELAY + <u8>chance(latest));
    else fates.push(FATE_NONE);
  }
  return fates;
}

/** The smallest schedule that still fails, by leaving out one fate after the other until none can be left out. */
function shrink(up: u32, down: u32, sack: bool, fates: u8[]): void {
  let again = true;
  while (again) {
    again = false;
    for (let i = 0; i < fates.length; i++) {
      const fate = fates[i];
      if (fate == FATE_NONE) continue;
      fates[i] = FATE_NONE;
      if (transfer(up, down, sack, fates) == "") fates[i] = fate;
      else again = true;
    }
  }
}

function describeFates(fates: u8[]): string {
  let text = "";
  for (let i = 0; i < fates.length; i++) {
    const fate = fates[i];
    if (fate == FATE_NONE) continue;
    text += " " + i.toString();
    if (fate == FATE_LOSE) text += ":lost";
    else if (fate == FATE_DUPLICATE) text += ":twice";
    else if (fate == FATE_MARK) text += ":marked";
    else text += ":+" + (fate - FATE_DELAY + 1).toString() + "ms";
  }
  return text;
}

/** Runs the schedules of `seeds` from `first` on; what failed first, made small. */
function schedules(first: u32, seeds: u32, sack: bool): string {
  for (let seed = first; seed < first + seeds; seed++) {
    seedChance(seed);
    const up: u32 = chance(4) == 0 ? chance(200) : chance(60000);
    const down: u32 = chance(2) == 0 ? chance(200) : chance(30000);
    const fates = fatesOf();
    const fault = transfer(up, down, sack, fates);
    if (fault == "") continue;
    shrink(up, down, sack, fates);
    const small = transfer(up, down, sack, fates);
    return `seed ${seed}: ${fault}; ${up} up, ${down} down, packets${describeFates(fates)}: ${small}`;
  }
  return "";
}

describe("schedules of what happens to each packet", () => {
  beforeAll(setUpWorld);

  it("are survived by the thousand, with SACK", () => {
    expect(schedules(1, 2500, true)).toBe("");
  });

  it("are survived by the thousand, without it", () => {
    expect(schedules(100001, 1000, false)).toBe("");
  });

  it("are survived without timestamps, and with delays beyond the time-out", () => {
    stripStamps(true);
    latest = 250;
    limit = 800 * SECOND;
    const fault = schedules(200001, 600, true) + schedules(300001, 400, false);
    latest = 60;
    limit = LIMIT;
    stripStamps(false);
    expect(fault).toBe("");
  });

  it("are survived with a device that cuts packets into segments and puts segments together", () => {
    offer(true, true);
    const before = cuts + merges;
    expect(schedules(200001, 2500, true)).toBe("");
    expect(schedules(300001, 500, false)).toBe("");
    offer(false, false);
    expect(cuts + merges - before).toBeGreaterThan(15000);
  });

  it("a packet that such a device refuses goes in segments", () => {
    offer(true, true);
    refused = 150;
    for (let seed: u32 = 1; seed <= 100; seed++) {
      seedChance(seed);
      expect(transfer(chance(60000), chance(30000), true, [])).toBe("");
    }
    refused = 0;
    offer(false, false);
  });
});
