/** Socket calls that block (net/socket/calls*.ts): what ends their wait, and that handlers run meanwhile. */
import { EVENT_TIMER } from "../../aem/abi";
import { EAGAIN, EBADF, EINTR, EISCONN, ERESTART } from "../../kernel/errno";
import { HANDLE_SOCKET, handleObject } from "../../kernel/process/handles";
import { currentProcess } from "../../kernel/process/process";
import { wakeThread } from "../../kernel/scheduler/wake";
import { sys_accept, sys_close, sys_connect, sys_socket } from "../../net/socket/calls";
import { sys_recv } from "../../net/socket/calls-receive";
import { sys_send } from "../../net/socket/calls-send";
import { now } from "../../kernel/time/clock";
import { sys_setsockopt } from "../../net/socket/calls-options";
import { Socket } from "../../net/socket/socket";
import * as fake from "../fake";
import { data, expectAllClosed, length, setUpCalls, SOL_SOCKET, value } from "./calls";
import { expectHandler, expectNone, onTimer, timePasses } from "./driver";
import { settle } from "./machine";
import {
  address,
  AF_INET,
  client,
  closePair,
  connectPair,
  DONTWAIT,
  listener,
  LOOPBACK,
  port,
  server,
  setBlocking,
  STREAM,
} from "./pair";

/** A vector that nobody has: the idle processor woke for nothing else than what the spec did meanwhile. */
const NO_VECTOR: u32 = 0x20;

/** The window of the server is full, so that what the client sends, a FIN too, waits. */
function fillPair(): void {
  setBlocking(client, false);
  do settle();
  while (sys_send(client, data, 16384, 0) > 0);
}

/** SO_LINGER of a second. */
function lingerAndBlock(): void {
  setBlocking(client, true);
  store<i32>(value, 1);
  store<i32>(value, 1, 4);
  expect<i32>(sys_setsockopt(client, SOL_SOCKET, 13, value, 8)).toBe(0);
}

beforeAll(setUpCalls);

beforeEach(() => {
  fake.onIdle(0);
});

afterEach(expectAllClosed);

// What happens while the processor is idle.
let steps = 0;

function peerSends(): u32 {
  if (++steps == 2) {
    sys_send(client, data + 4096, 20, DONTWAIT);
    settle();
  }
  return NO_VECTOR;
}
function timerComes(): u32 {
  steps++;
  timePasses(1_000_000);
  return NO_VECTOR;
}
function signalComes(): u32 {
  steps++;
  currentProcess().interrupted = 1;
  // As kill does: the thread looks again.
  timePasses(1);
  onTimerWake();
  return NO_VECTOR;
}
function onTimerWake(): void {
  const process = currentProcess();
  wakeThread(process.thread, 0);
}
function peerReads(): u32 {
  steps++;
  while (sys_recv(server, data + 16384, 8192, DONTWAIT) > 0) {}
  settle();
  timePasses(1_000_000);
  return NO_VECTOR;
}
function packetsGoRound(): u32 {
  steps++;
  settle();
  return NO_VECTOR;
}

describe("calls that block", () => {
  it("recv waits for data", () => {
    connectPair();
    steps = 0;
    fake.onIdle(peerSends.index);
    setBlocking(server, true);
    expect<i32>(sys_recv(server, data, 100, DONTWAIT)).toBe(-EAGAIN);
    expect<i32>(sys_recv(server, data, 100, 0)).toBe(20);
    expect<i32>(steps).toBe(2);
    const socket = changetype<Socket>(handleObject(currentProcess(), server, HANDLE_SOCKET));
    expect<bool>(socket.isEmpty).toBe(true, "nobody waits any more");
    closePair();
  });

  it("let handlers run first, and are made again", () => {
    connectPair();
    setBlocking(server, true);
    onTimer(500_000, 0);
    fake.onIdle(timerComes.index);
    expect<i32>(sys_recv(server, data, 100, 0)).toBe(-ERESTART, "a handler is to be run");
    expectHandler(EVENT_TIMER, "it");
    expectNone("done");
    closePair();
  });

  it("close with SO_LINGER waits for the peer, lets handlers run meanwhile, and is over when its time is", () => {
    connectPair();
    fillPair();
    lingerAndBlock();
    onTimer(500_000, 0);
    steps = 0;
    fake.onIdle(timerComes.index);
    const start = now();
    expect<i32>(sys_close(client)).toBe(-ERESTART, "a handler is to be run");
    expectHandler(EVENT_TIMER, "it");
    expectNone("done");
    expect<i32>(sys_close(client)).toBe(0);
    // The clock goes by milliseconds here, and a timer is late by a tick.
    expect<u64>((now() - start) / 2_000_000).toBe(500, "one second in both calls together");
    expect<i32>(sys_close(client)).toBe(-EBADF);
    closePair();

    connectPair();
    fillPair();
    lingerAndBlock();
    steps = 0;
    fake.onIdle(peerReads.index);
    expect<i32>(sys_close(client)).toBe(0);
    expect<i32>(steps).toBeGreaterThan(0, "it had to wait");
    expect<i32>(steps).toBeLessThan(500, "but not for its time");
    closePair();

    connectPair();
    fillPair();
    lingerAndBlock();
    setBlocking(client, false);
    steps = 0;
    fake.onIdle(timerComes.index);
    expect<i32>(sys_close(client)).toBe(0);
    expect<i32>(steps).toBe(0, "one that does not block does not wait");
    closePair();
  });

  it("end with -EINTR when a signal comes", () => {
    const listening = listener(0);
    steps = 0;
    fake.onIdle(signalComes.index);
    expect<i32>(sys_accept(listening, 0, 0)).toBe(-EINTR);
    expect<i32>(steps).toBe(1);
    sys_close(listening);
  });

  it("send takes all of it", () => {
    connectPair();
    setBlocking(client, true);
    steps = 0;
    fake.onIdle(peerReads.index);
    let sent = 0;
    for (let i = 0; i < 50; i++) sent += sys_send(client, data, 16384, 0);
    expect<i32>(sent).toBe(50 * 16384);
    expect<i32>(steps).toBeGreaterThan(0, "it had to wait");
    closePair();
  });

  it("send says how much it took when a handler is to be run", () => {
    connectPair();
    setBlocking(client, true);
    onTimer(500_000, 0);
    fake.onIdle(timerComes.index);
    let last = 0;
    for (let i = 0; i < 200; i++) {
      last = sys_send(client, data, 16384, 0);
      if (last != 16384) break;
    }
    expect<bool>(last > 0 || last == -ERESTART).toBe(true);
    expect<bool>(last < 16384).toBe(true, "it had to stop");
    expectHandler(EVENT_TIMER, "the handler");
    expectNone("done");
    closePair();
  });

  it("connect and accept wait for each other", () => {
    const listening = listener(0);
    const fd = sys_socket(AF_INET, STREAM, 0);
    fake.onIdle(packetsGoRound.index);
    expect<i32>(sys_connect(fd, address(LOOPBACK, port), 16)).toBe(0);
    expect<i32>(sys_connect(fd, address(LOOPBACK, port), 16)).toBe(-EISCONN);
    store<u32>(length, 16);
    const accepted = sys_accept(listening, value, length);
    expect<i32>(accepted).toBeGreaterThanOrEqual(0);
    expect<u32>(load<u32>(value, 4)).toBe(0x0100007f);
    expect<i32>(sys_connect(listening, address(LOOPBACK, port), 16)).toBeLessThan(0);
    sys_close(fd);
    sys_close(accepted);
    sys_close(listening);
    settle();
  });
});
