/** EVJOBCLEAN of much: it goes in steps, between which anything may happen to the event. */
import {
  EVENT_ACCEPT,
  EVENT_MESSAGE,
  EVENT_READ,
  EVJOBCLEAN,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  MESSAGE_QUEUE,
  SHUTDOWN_DELIVER,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { eventOfJid } from "../../aem/jids";
import { messagePool } from "../../aem/jobs/message";
import { unregister } from "../../aem/unregister";
import { ESRCH } from "../../kernel/errno";
import { poll } from "../../kernel/hal";
import { setVector } from "../../kernel/interrupts/vectors";
import { currentProcess } from "../../kernel/process/process";
import * as fake from "../fake";
import { expectCounts, onAccept } from "./control";
import { expectHandler, expectNone, expectNothingLeft, expectRead, onRead, setUp } from "./driver";
import {
  aborts,
  establish,
  FakeSocket,
  newDatagram,
  newListener,
  newStream,
  open,
  PACKET,
  receive,
  receiveDatagram,
} from "./machine";
import { listen, post } from "./messages";

const VECTOR: u32 = 0x50;
/** Of what waits, what one step drops at most. */
const STEP = 4;
/** More than there are steps: a call drops at most what could wait at a listener, BACKLOG_LIMIT + 1. And what is left then of the last ones. */
const FOR_EVER = 3000;
const LEFT = 5;

let interrupts = 0;
let jid: i32 = 0;
let socket: FakeSocket = changetype<FakeSocket>(0);
let stream: FakeSocket = changetype<FakeSocket>(0);

function count(argument: usize): void {
  interrupts++;
}

function endEvent(argument: usize): void {
  interrupts++;
  unregister(eventOfJid(currentProcess(), jid)!);
}

function establishMore(argument: usize): void {
  interrupts++;
  for (let n = 0; n < STEP; n++) establish(socket);
}

function receiveMore(argument: usize): void {
  interrupts++;
  receive(stream, 10);
}

function postMore(argument: usize): void {
  interrupts++;
  post(currentProcess().pid, 9, 1, 100);
}

/** `times` interrupts, one at each moment at which one gets in. */
function interruptWith(callback: u32, times: i32): void {
  interrupts = 0;
  setVector(VECTOR, callback, 0);
  for (let n = 0; n < times; n++) fake.queueInterrupt(VECTOR);
}

function listenWith(connections: i32): void {
  socket = newListener();
  jid = onAccept(socket);
  for (let n = 0; n < connections; n++) establish(socket);
}

function clean(): i32 {
  return sys_evctl(jid, EVJOBCLEAN, 0);
}

beforeAll(() => {
  setUp();
});

afterEach(expectNothingLeft);

describe("3.3.1 EVJOBCLEAN in steps", () => {
  it("lets interrupts in behind every few connections", () => {
    listenWith(10 * STEP + 1);
    interruptWith(count.index, 10);
    const before = aborts;
    expect<i32>(clean()).toBe(10 * STEP + 1);
    expect<i32>(aborts - before).toBe(10 * STEP + 1);
    expect<i32>(interrupts).toBe(10);
    expectCounts(jid, 0, 10 * STEP, 0, 10 * STEP + 1);
    expectNone("all are gone");
  });

  it("packets of a stream, which are one occurrence", () => {
    stream = newStream();
    jid = onRead(open(stream));
    receive(stream, 10 * STEP * PACKET + 1);
    interruptWith(count.index, 10);
    expect<i32>(clean()).toBe(1);
    expect<u32>(stream.went).toBe(10 * STEP * PACKET + 1);
    expect<i32>(interrupts).toBe(10);
    expectCounts(jid, 0, 0, 0, 1);
    expectNone("all are gone");
  });

  it("datagrams, also for one of several events", () => {
    const datagrams = newDatagram();
    jid = onRead(open(datagrams));
    const other = onRead(open(datagrams));
    for (let n = 0; n < 10 * STEP + 1; n++) receiveDatagram(datagrams, 10);
    interruptWith(count.index, 10);
    expect<i32>(clean()).toBe(10 * STEP + 1);
    expect<i32>(interrupts).toBe(10);
    for (let n = 0; n < 10 * STEP + 1; n++) expectHandler(EVENT_READ, "the other one's");
    expectNone("none of this one");
    expectCounts(other, 10 * STEP + 1, 10 * STEP, 0, 0);
  });

  it("messages, but for those that come meanwhile", () => {
    jid = listen(9);
    for (let n: u32 = 0; n < MESSAGE_QUEUE; n++) expect<i32>(post(currentProcess().pid, 9, 1, 100)).toBe(0);
    const pauses = <i32>MESSAGE_QUEUE / STEP - 1;
    interruptWith(postMore.index, pauses);
    expect<i32>(clean()).toBe(<i32>MESSAGE_QUEUE);
    expect<i32>(interrupts).toBe(pauses);
    for (let n = 0; n < pauses; n++) expectHandler(EVENT_MESSAGE, "it came later");
    expectCounts(jid, pauses, 0, 0, MESSAGE_QUEUE);
    expectNone("no more");
  });

  it("bytes of a stream, but for those that come meanwhile", () => {
    stream = newStream();
    jid = onRead(open(stream));
    receive(stream, 2 * STEP * PACKET);
    interruptWith(receiveMore.index, 1);
    expect<i32>(clean()).toBe(1);
    expect<u32>(stream.went).toBe(2 * STEP * PACKET);
    expectRead(2 * STEP * PACKET, 10, "it came later");
    expectNone("no more");
  });

  it("ends early with its event", () => {
    listenWith(10 * STEP);
    interruptWith(endEvent.index, 1);
    const before = aborts;
    expect<i32>(clean()).toBe(STEP);
    expect<i32>(aborts - before).toBe(STEP);
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    expectNone("it was ended");
  });

  it("ends while peers send as fast as it drops; what is left then has its activation", () => {
    listenWith(STEP + 2);
    interruptWith(establishMore.index, FOR_EVER);
    const before = aborts;
    const dropped = clean();
    expect<i32>(interrupts).toBeLessThan(FOR_EVER);
    expect<i32>(aborts - before).toBe(dropped);
    expect<u32>(socket.waiting).toBe(LEFT);
    while (poll() >= 0) {}
    expectCounts(jid, 0, dropped + LEFT - 1, 0, dropped);
    for (let n = 0; n < LEFT; n++) expectHandler(EVENT_ACCEPT, "left");
    expectNone("no more");
  });

  it("an event that drains ends with it", () => {
    listenWith(3 * STEP);
    interruptWith(count.index, 3);
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER);
    expect<i32>(clean()).toBe(3 * STEP);
    expect<i32>(interrupts).toBe(3);
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
  });
});
