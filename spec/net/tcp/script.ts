/**
 * The scripted peer: segments are said and read as one line each, in the manner of tcpdump, with sequence numbers counted
 * from each side's initial one:
 *
 *     flags  first:last(length) ack number win window <options>           S. 0:0(0) ack 1 win 65535 <mss 1460,ws 3,ts>
 *
 * Flags: S SYN, F FIN, R RST, P PSH, U URG ("urg" and its pointer are behind the window), '.' ACK, E ECE, W CWR. A packet that says it is
 * ECN-capable has "ect0" behind its ACK number. `say` sends one to the stack, `heard` gives all that the stack has sent since
 * the last call, separated by " | ".
 */
import { checksumAdd, checksumFold, internetChecksum } from "../../../net/checksum";
import { Socket } from "../../../net/socket/socket";
import { REQUESTS_PER_LISTENER } from "../../../net/socket/tcp/parameters";
import { pseudoHeaderSum } from "../addresses";
import { accept, close, connect, create } from "./ends";
import { arrive, MILLISECOND, outbox, OWN, PEER, run, setUpWorld } from "./world";

/** The peer's ports and initial sequence numbers; the stack's initial one is taken from its first SYN. */
export let peerPort: u32 = 5000;
export let ownPort: u32 = 80;
export const PEER_ISN: u32 = 0xfffffff0;
export let ownIsn: u32 = 0;

/** Options of the next segments: MSS and window scale on a SYN (0xff: none), timestamps when `stamp` is not 0. */
export let mss: u32 = 1460;
export let scale: u32 = 255;
export let stamp: u32 = 0;
export let echo: u32 = 0;
/** The peer permits SACK in its SYN. */
let sackOk: bool = false;
/** Blocks that the next segment has, such as "1:1001 2001:3001", counted from the stack's initial sequence number. */
let blocks: string = "";
/** ECN field of the IPv4 header: 2 ECT(0), 3 CE. */
let ecn: u8 = 0;

/** A conversation with port `own` of the stack from port `peer`, without options but MSS. */
export function converse(peer: u32, own: u32): void {
  peerPort = peer;
  ownPort = own;
  mss = 1460;
  scale = 255;
  stamp = 0;
  echo = 0;
  sackOk = false;
  outbox.length = 0;
}

export function setOptions(newMss: u32, newScale: u32, newStamp: u32): void {
  mss = newMss;
  scale = newScale;
  stamp = newStamp;
}

/** Goes on with a conversation in which the stack's initial sequence number was `isn`. */
export function setOwnIsn(isn: u32): void {
  ownIsn = isn;
}

export function setStamp(value: u32): void {
  stamp = value;
}

export function setEcho(value: u32): void {
  echo = value;
}

/** From now on SYNs permit SACK, or do not; `converse` says that they do not. */
export function permitSack(permit: bool): void {
  sackOk = permit;
}

/** What is said from now on comes with this ECN field. */
export function setEcn(field: u8): void {
  ecn = field;
}

/** `say` an acknowledgement without payload that has SACK blocks. */
export function sayBlocks(ack: u32, window: u32, text: string): void {
  blocks = text;
  say(".", 1, 0, ack, window);
  blocks = "";
}

/** The blocks, at `option`; how many bytes. */
function writeBlocks(option: usize): u32 {
  const list = blocks.split(" ");
  store<u32>(option, bswap(0x01010500 | (2 + 8 * <u32>list.length)));
  for (let i = 0; i < list.length; i++) {
    const colon = list[i].indexOf(":");
    store<u32>(option + 4 + i * 8, bswap(ownIsn + <u32>U32.parseInt(list[i].substring(0, colon))));
    store<u32>(option + 8 + i * 8, bswap(ownIsn + <u32>U32.parseInt(list[i].substring(colon + 1))));
  }
  return 4 + 8 * <u32>list.length;
}

/** Source address of what is said. */
let from: u32 = PEER;

/** The next segments come from `address`: for floods. */
export function comeFrom(address: u32): void {
  from = address;
}

/** Destination address of what is said. */
let to: u32 = OWN;

export function goTo(address: u32): void {
  to = address;
}

/** Options that stand behind the others in what is said next, once; a multiple of four bytes. */
let extra: u8[] = [];

export function addOptions(bytes: u8[]): void {
  extra = bytes;
}

/** Options of the IPv4 header of what is said next, once; a multiple of four bytes. */
let networkOptions: u8[] = [];

export function addNetworkOptions(bytes: u8[]): void {
  networkOptions = bytes;
}

/** Urgent pointer of what is said next, once. */
let urgent: u32 = 0;

/** As `say`, with URG: `pointer` is the field of the header. */
export function sayUrgent(
  flags: string,
  sequence: u32,
  length: u32,
  ack: u32,
  window: u32,
  pointer: u32,
): void {
  urgent = pointer;
  say(flags + "U", sequence, length, ack, window);
  urgent = 0;
}

const segment = new Uint8Array(2048);

/** Octet `i` of a payload that `say` sends, from its place in the stream. */
export function peerOctet(position: u32): u8 {
  return <u8>(97 + (position % 26));
}

/** Sends a segment: flags, sequence number and length, acknowledgement number, window field. */
export function say(flags: string, sequence: u32, length: u32, ack: u32, window: u32): void {
  let bits: u32 = 0;
  if (flags.includes("F")) bits |= 1;
  if (flags.includes("S")) bits |= 2;
  if (flags.includes("R")) bits |= 4;
  if (flags.includes("P")) bits |= 8;
  if (flags.includes(".")) bits |= 16;
  if (flags.includes("E")) bits |= 64;
  if (flags.includes("W")) bits |= 128;
  if (flags.includes("U")) bits |= 32;
  let header: u32 = 20;
  const tcp = segment.dataStart + 20;
  if (bits & 2) {
    if (mss != 0) {
      store<u32>(tcp + header, bswap<u32>(0x02040000 | mss));
      header += 4;
    }
    if (scale != 255) {
      store<u32>(tcp + header, bswap<u32>(0x01030300 | scale));
      header += 4;
    }
    if (sackOk) {
      store<u32>(tcp + header, bswap<u32>(0x01010402));
      header += 4;
    }
  }
  if (blocks != "") header += writeBlocks(tcp + header);
  if (stamp != 0) {
    store<u32>(tcp + header, bswap<u32>(0x0101080a));
    store<u32>(tcp + header + 4, bswap<u32>(stamp));
    store<u32>(tcp + header + 8, bswap<u32>(echo));
    header += 12;
  }
  for (let i = 0; i < extra.length; i++) store<u8>(tcp + header + i, extra[i]);
  header += extra.length;
  extra = [];
  for (let i: u32 = 0; i < length; i++) store<u8>(tcp + header + i, peerOctet(sequence + i));
  store<u16>(tcp, bswap<u16>(<u16>peerPort));
  store<u16>(tcp + 2, bswap<u16>(<u16>ownPort));
  store<u32>(tcp + 4, bswap<u32>(PEER_ISN + sequence));
  store<u32>(tcp + 8, bits & 16 ? bswap<u32>(ownIsn + ack) : 0);
  store<u8>(tcp + 12, <u8>((header / 4) << 4));
  store<u8>(tcp + 13, <u8>bits);
  store<u16>(tcp + 14, bswap<u16>(<u16>window));
  store<u32>(tcp + 16, (<u32>bswap<u16>(<u16>urgent)) << 16);
  deliver(header + length);
}

/** Bit of the TCP header or payload that is turned over, behind the checksum, in what is said next; negative: none. */
let damaged: i32 = -1;

export function damage(bit: i32): void {
  damaged = bit;
}

/** Puts checksums on the segment of `length` bytes in `segment` and hands it over. */
function deliver(length: u32): void {
  const tcp = segment.dataStart + 20;
  const sum = checksumAdd(tcp, length, pseudoHeaderSum(from, to, 6, length));
  store<u16>(tcp + 16, internetChecksum(sum));
  const bit = <u8>(damaged & 7);
  if (damaged >= 0) segment[20 + damaged / 8] = segment[20 + damaged / 8] ^ ((<u8>1) << bit);
  damaged = -1;
  const optional = networkOptions.length;
  writeIpHeader(optional, 20 + optional + length);
  if (optional == 0) return arrive(segment.slice(0, 20 + length));
  const packet = new Uint8Array(20 + optional + length);
  memory.copy(packet.dataStart, segment.dataStart, 20);
  for (let i = 0; i < optional; i++) packet[20 + i] = networkOptions[i];
  memory.copy(packet.dataStart + 20 + optional, tcp, length);
  networkOptions = [];
  const header = packet.dataStart;
  store<u16>(header, 0, 10);
  store<u16>(header, internetChecksum(checksumAdd(header, 20 + optional, 0)), 10);
  arrive(packet);
}

function writeIpHeader(optional: u32, length: u32): void {
  const ip = segment.dataStart;
  store<u32>(ip, (0x45 + optional / 4) | ((<u32>bswap<u16>(<u16>length)) << 16));
  store<u8>(ip, ecn, 1);
  store<u32>(ip, 0, 4);
  store<u8>(ip, 64, 8);
  store<u8>(ip, 6, 9);
  store<u16>(ip, 0, 10);
  store<u32>(ip, bswap<u32>(from), 12);
  store<u32>(ip, bswap<u32>(to), 16);
  store<u16>(ip, internetChecksum(checksumAdd(ip, 20, 0)), 10);
}

/** Sends `length` arbitrary bytes as a segment, with right checksums; bytes from `fill`. */
export function sayRaw(length: u32, fill: (at: u32) => u8): void {
  for (let i: u32 = 0; i < length; i++) segment[20 + i] = fill(i);
  if (length >= 20) store<u16>(segment.dataStart + 36, 0);
  deliver(length);
}

// ---- What the stack says ----

function describe_(packet: Uint8Array): string {
  const tcp = packet.dataStart + 20;
  const length = <u32>packet.length - 20;
  // The oracle for checksums: every segment is checked.
  const sum = checksumAdd(
    tcp,
    length,
    pseudoHeaderSum(OWN, bswap<u32>(load<u32>(packet.dataStart, 16)), 6, length),
  );
  if (checksumFold(sum) != 0xffff) return "BAD CHECKSUM";
  const bits = load<u8>(tcp, 13);
  const header = ((<u32>load<u8>(tcp, 12)) >> 4) * 4;
  const sequence = bswap<u32>(load<u32>(tcp, 4));
  if (bits & 2) ownIsn = sequence;
  ownPort = bswap<u16>(load<u16>(tcp));
  let text = "";
  if (bits & 2) text += "S";
  if (bits & 1) text += "F";
  if (bits & 4) text += "R";
  if (bits & 8) text += "P";
  if (bits & 32) text += "U";
  if (bits & 16) text += ".";
  if (bits & 64) text += "E";
  if (bits & 128) text += "W";
  const data = length - header;
  const first = sequence - ownIsn;
  text += " " + first.toString() + ":" + (first + data).toString() + "(" + data.toString() + ")";
  if (bits & 16) text += " ack " + (bswap<u32>(load<u32>(tcp, 8)) - PEER_ISN).toString();
  const field = load<u8>(packet.dataStart, 1);
  if (field != 0) text += field == 2 ? " ect0" : " tos " + field.toString();
  text += " win " + (<u32>bswap<u16>(load<u16>(tcp, 14))).toString();
  if (bits & 32) text += " urg " + (<u32>bswap<u16>(load<u16>(tcp, 18))).toString();
  let options = "";
  let at: u32 = 20;
  while (at < header) {
    const kind = load<u8>(tcp + at);
    if (kind <= 1) {
      at++;
      continue;
    }
    if (options != "") options += ",";
    if (kind == 2) options += "mss " + (<u32>bswap<u16>(load<u16>(tcp + at, 2))).toString();
    else if (kind == 3) options += "ws " + load<u8>(tcp + at, 2).toString();
    else if (kind == 8) {
      options += "ts";
      echo = bswap<u32>(load<u32>(tcp + at, 2));
    } else if (kind == 28) options += "uto " + (<u32>bswap<u16>(load<u16>(tcp + at, 2))).toString();
    else if (kind == 4) options += "sackOK";
    else if (kind == 5) {
      options += "sack";
      for (let i: u32 = 2; i < load<u8>(tcp + at, 1); i += 8)
        options +=
          " " +
          (bswap(load<u32>(tcp + at + i)) - PEER_ISN).toString() +
          ":" +
          (bswap(load<u32>(tcp + at + i, 4)) - PEER_ISN).toString();
    } else options += "option " + kind.toString();
    at += load<u8>(tcp + at, 1);
  }
  return options == "" ? text : text + " <" + options + ">";
}

/** What has been sent to the peer since the last call. */
export function heard(): string {
  let text = "";
  while (outbox.length != 0) {
    const line = describe_(outbox.shift());
    text += text == "" ? line : " | " + line;
  }
  return text;
}

/** The same without windows and options, when they are not what the spec is about. */
export function heardBriefly(): string {
  let text = "";
  while (outbox.length != 0) {
    const line = describe_(outbox.shift());
    const end = line.indexOf(" win ");
    text += (text == "" ? "" : " | ") + line.substring(0, end);
  }
  return text;
}

/** The first sequence numbers of the segments that were heard, counted from `base`, in units of `size` octets: "0 2" with `size` 1000 is the first and the third segment of that size. */
export function heardPlaces(base: u32, size: u32): string {
  const text = heardBriefly();
  if (text == "") return "";
  const lines = text.split(" | ");
  let list = "";
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    const first = <u32>U32.parseInt(line.substring(line.indexOf(" ") + 1, line.indexOf(":")));
    list += (list == "" ? "" : " ") + ((first - base) / size).toString();
  }
  return list;
}

/** The first octets of the segments that were heard. */
export function firsts(): string {
  return heardPlaces(0, 1);
}

/** Sets the world up, if that has not been done yet, and learns PEER's link address by an attempt to reach it: what is sent to it from here on goes at once. */
export function meetPeer(): void {
  setUpWorld();
  const first = create();
  connect(first, PEER, 9);
  run(MILLISECOND);
  close(first);
  heard();
}

/** Half-open connections take up all the room of the listener at port `own`: the next one gets a cookie. */
export function fillRequests(own: u32): void {
  for (let i: u32 = 0; i < REQUESTS_PER_LISTENER; i++) {
    converse(40000 + i, own);
    say("S", 0, 0, 0, 1000);
  }
  heard();
}

/** A connection that PEER has opened to `server` from port `peer` by a segment with `flags`, with window field `window`: the accepted socket. */
export function establish(server: Socket, peer: u32, window: u32, flags: string = "S"): Socket {
  const newMss = mss;
  const newScale = scale;
  const newStamp = stamp;
  const permit = sackOk;
  converse(peer, server.flow.local.port);
  setOptions(newMss, newScale, newStamp);
  sackOk = permit;
  say(flags, 0, 0, 0, window);
  heard();
  say(".", 1, 0, 1, window);
  setOptions(1460, 255, newStamp);
  return accept(server)!;
}
