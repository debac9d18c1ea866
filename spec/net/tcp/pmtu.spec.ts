/** Path MTU: what is believed about the size of packets, and from whom; black holes; the table of destinations. */
import { lowerPathMtu, PATH_MTU_LIFE, pathMtu } from "../../../net/pmtu";
import { Socket } from "../../../net/socket/socket";
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { Ipv4Header } from "../../../net/wire/ipv4";
import { TcpHeader } from "../../../net/wire/tcp";
import { endpoint } from "../addresses";
import { chance, seedChance } from "../../chance";
import { abort_, accept, close, connect, create, listener, read, write } from "./ends";
import {
  accidents,
  calm,
  leftOver,
  MILLISECOND,
  MIRROR,
  OWN,
  PEER,
  run,
  SECOND,
  settleWorld,
  setUpWorld,
  tellTooBig,
} from "./world";

/** Destinations of the specs of the table, beyond those of connections. */
const FAR: u32 = 0xc000_0200;

const quoted = new Uint8Array(28);

/** A forged claim about the first segment that the client has in flight. */
function claim(mtu: u32): void {
  const ip = changetype<Ipv4Header>(quoted.dataStart);
  ip.setFirstWord(1500);
  ip.protocol = 6;
  ip.source = client.flow.local.ipv4;
  ip.destination = client.flow.remote.ipv4;
  const tcp = changetype<TcpHeader>(quoted.dataStart + 20);
  tcp.sourcePort = client.flow.local.port;
  tcp.destinationPort = client.flow.remote.port;
  tcp.sequence = client.SND_UNA;
  tellTooBig(quoted, mtu);
}

function known(address: u32): u32 {
  return pathMtu(endpoint(address, 0));
}

/** A connection to MIRROR and its other end. */
let client: TcpConnection = changetype<TcpConnection>(0);
let server: TcpConnection = changetype<TcpConnection>(0);
let listening: Socket = changetype<Socket>(0);
/** Octets that the client has written, and that the server has read. */
let written: u32 = 0;
let got: u32 = 0;

function open(): void {
  const s = create();
  connect(s, MIRROR, 80);
  run(10 * SECOND);
  client = changetype<TcpConnection>(s);
  server = changetype<TcpConnection>(accept(listening)!);
  written = got = 0;
}

/** Sends `bytes` and reads them at the other end, for at most `limit` ns. How long it took, in ms. */
function transfer(bytes: u32, limit: u64): u32 {
  const end = written + bytes;
  let time: u64 = 0;
  while (got < end && time < limit) {
    written += write(client, 1, written, end - written);
    run(5 * MILLISECOND);
    time += 5 * MILLISECOND;
    got += read(server, 1, got, 1 << 20);
  }
  expect<u32>(got).toBe(end, "all has arrived");
  return <u32>(time / MILLISECOND);
}

function shut(): void {
  abort_(client);
  abort_(server);
  settleWorld();
}

describe("the path MTU of a connection", () => {
  beforeAll(() => {
    setUpWorld();
    seedChance(5);
    listening = listener(80, 10);
  });
  beforeEach(() => {
    calm();
    // What the spec before has found out is forgotten.
    run(PATH_MTU_LIFE);
  });
  afterAll(() => {
    close(listening);
    settleWorld();
    expect(leftOver()).toBe("");
  });

  it("is found out from a router, at once; the next connection begins with it, for ten minutes", () => {
    open();
    accidents.mtu = 1200;
    accidents.tells = true;
    expect<u32>(transfer(100_000, 60 * SECOND)).toBeLessThan(1000);
    expect<u32>(client.sendMss).toBe(1148);
    expect<u32>(known(MIRROR)).toBe(1200);
    expect<u32>(known(PEER)).toBe(1500);
    shut();
    open();
    expect<u32>(client.sendMss).toBe(1148);
    shut();
    run(PATH_MTU_LIFE);
    open();
    expect<u32>(client.sendMss).toBe(1448);
    shut();
  });

  it("is not believed to be less than what has arrived before a time-out proves it (RFC 5927)", () => {
    open();
    transfer(50_000, 60 * SECOND);
    expect<u32>(client.mssAcked).toBe(1448);
    // A router claims, and all goes on as before: nothing was true of it.
    write(client, 1, written, 1448);
    written += 1448;
    claim(1000);
    run(MILLISECOND);
    expect<u32>(client.sendMss).toBe(1448);
    transfer(50_000, 60 * SECOND);
    expect<u32>(client.sendMss).toBe(1448);
    expect<u32>(known(MIRROR)).toBe(1500);
    // The path does change.
    accidents.mtu = 1300;
    accidents.tells = true;
    expect<u32>(transfer(50_000, 60 * SECOND)).toBeLessThan(3000);
    expect<u32>(client.sendMss).toBe(1248);
    expect<u32>(known(MIRROR)).toBe(1300);
    shut();
  });

  it("is found out in black holes, too", () => {
    const mtus: u32[] = [1400, 1399, 1280, 1279, 576];
    const found: u32[] = [1400, 1280, 1280, 576, 576];
    for (let i = 0; i < mtus.length; i++) {
      run(PATH_MTU_LIFE);
      calm();
      open();
      accidents.mtu = mtus[i];
      transfer(200_000, 300 * SECOND);
      expect<u32>(client.sendMss).toBe(found[i] - 52, mtus[i].toString());
      expect<u32>(known(MIRROR)).toBe(found[i]);
      shut();
      accidents.mtu = mtus[i];
      open();
      expect<u32>(transfer(200_000, 300 * SECOND)).toBeLessThan(2000, "the next one knows");
      shut();
    }
  });

  it("is not less after an outage", () => {
    open();
    transfer(50_000, 60 * SECOND);
    for (let i = 0; i < 5; i++) {
      accidents.loss = 1000;
      written += write(client, 1, written, 30_000);
      run((2 + <u64>chance(20)) * SECOND);
      accidents.loss = 0;
      transfer(200_000, 300 * SECOND);
      expect<u32>(client.sendMss).toBe(1448);
      expect<u32>(known(MIRROR)).toBe(1500);
    }
    shut();
  });

  it("is full again after ten minutes for a connection that was idle", () => {
    open();
    accidents.mtu = 1000;
    accidents.tells = true;
    transfer(50_000, 60 * SECOND);
    expect<u32>(client.sendMss).toBe(948);
    accidents.mtu = 1500;
    run(PATH_MTU_LIFE);
    transfer(50_000, 60 * SECOND);
    expect<u32>(client.sendMss).toBe(1448);
    shut();
  });
});

describe("the table of path MTUs", () => {
  it("never believes less than 576, and never raises", () => {
    lowerPathMtu(endpoint(FAR, 0), 68);
    expect<u32>(known(FAR)).toBe(576);
    lowerPathMtu(endpoint(FAR, 0), 1400);
    expect<u32>(known(FAR)).toBe(576);
    lowerPathMtu(endpoint(FAR + 1, 0), 1400);
    lowerPathMtu(endpoint(FAR + 1, 0), 1500);
    expect<u32>(known(FAR + 1)).toBe(1400);
    run(PATH_MTU_LIFE - SECOND);
    expect<u32>(known(FAR + 1)).toBe(1400);
    run(2 * SECOND);
    expect<u32>(known(FAR)).toBe(1500);
  });

  it("keeps the newest of any number of destinations, and says nothing wrong of any", () => {
    const last = new Map<u32, u32>();
    let remembered = 0;
    for (let i: u32 = 0; i < 20_000; i++) {
      const destination = FAR + chance(5000);
      const before = known(destination);
      const mtu = 576 + chance(900);
      lowerPathMtu(endpoint(destination, 0), mtu);
      const expected = min(mtu, before);
      assert(known(destination) == expected, "the last one said");
      assert(before == 1500 || before == last.get(destination), "nothing else");
      if (before != 1500) remembered++;
      last.set(destination, expected);
    }
    expect<i32>(remembered).toBeGreaterThan(500);
    expect<u32>(known(OWN)).toBe(1500);
  });
});
