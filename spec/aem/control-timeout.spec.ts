/** EVJOBTIMEOUT (docs/aem-calls.md): a handler that was not called for so long is called, and how each type is told. */
import {
  EVENT_ACCEPT,
  EVENT_CLOSE,
  EVENT_READ,
  EVENT_SK,
  EVENT_SOCK,
  EVF_ONESHOT,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  EVJOBTIMEOUT,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { EFAULT, EINVAL, ESRCH, ETIMEDOUT } from "../../kernel/errno";
import { upcallArgument1, upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { MILLISECOND } from "../../kernel/time/clock";
import { TIMER_TICK } from "../../kernel/time/timers";
import { expectCounts, onAccept, setTimeout } from "./control";
import {
  expectHandler,
  expectNone,
  expectNothingLeft,
  expectRead,
  onClose,
  onRead,
  onSock,
  onState,
  onTimer,
  setUp,
  timePasses,
} from "./driver";
import { finish, newListener, newStream, nextHandler, open, receive } from "./machine";

beforeAll(() => {
  setUp();
});

afterEach(expectNothingLeft);

describe("EVJOBTIMEOUT", () => {
  it("calls the handler when it was not called for so long, and again", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    expect<i32>(setTimeout(jid, 10 * MILLISECOND)).toBe(0);
    timePasses(10 * MILLISECOND - 1);
    expectNone("early");
    timePasses(TIMER_TICK);
    for (let i = 0; i < 3; i++) {
      expectHandler(EVENT_READ, "time-out");
      expect<i32>(<i32>upcallArgument1).toBe(jid);
      expect<u32>(upcallArgument3).toBe(0);
      expect<i32>(<i32>upcallArgument4).toBe(-ETIMEDOUT);
      expectNone("once");
      timePasses(10 * MILLISECOND + TIMER_TICK);
    }
    expectHandler(EVENT_READ, "time-out");
    expectNone("returns");
    // A call for data starts it anew.
    timePasses(9 * MILLISECOND);
    receive(socket, 10);
    expectRead(0, 10, "data");
    expectNone("returns");
    timePasses(9 * MILLISECOND);
    expectNone("9 ms");
    timePasses(MILLISECOND + TIMER_TICK);
    expectHandler(EVENT_READ, "10 ms");
    expectCounts(jid, 6, 0, 0, 0);
    expect<i32>(setTimeout(jid, 0)).toBe(0);
    timePasses(100 * MILLISECOND);
    expectNone("off");
    setTimeout(jid, MILLISECOND);
    timePasses(2 * MILLISECOND);
    expect<i32>(sys_evctl(jid, EVJOBTIMEOUT, 0)).toBe(0);
    expectNone("it had run out, and is forgotten");
    expectCounts(jid, 6, 1, 0, 0);
  });

  it("a real activation goes first", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    setTimeout(jid, 10 * MILLISECOND);
    receive(socket, 10);
    timePasses(11 * MILLISECOND);
    expectRead(0, 10, "data were there when the time ran out");
    expectNone("no time-out");
    timePasses(11 * MILLISECOND);
    receive(socket, 10);
    expectRead(10, 10, "data came after it had run out, and before the call");
    expectNone("no time-out");
    expectCounts(jid, 2, 1, 0, 0);
  });

  it("each type is told in its own way", () => {
    const socket = newStream();
    socket.history = 0x72;
    const fd = open(socket);
    setTimeout(onClose(fd), MILLISECOND);
    setTimeout(onState(fd), MILLISECOND);
    const sock = onSock(fd);
    setTimeout(sock, MILLISECOND);
    setTimeout(onAccept(newListener()), MILLISECOND);
    // The history before the registration comes first.
    expectHandler(EVENT_SK, "7 to 2");
    expectNone("returns");
    timePasses(2 * MILLISECOND);
    let seen: u32 = 0;
    for (let code = <u32>nextHandler(); code != 0; code = <u32>nextHandler()) {
      const type = code & 0xff;
      seen |= 1 << type;
      if (type == EVENT_CLOSE || type == EVENT_ACCEPT) expect<i32>(<i32>upcallArgument3).toBe(-ETIMEDOUT);
      else if (type == EVENT_SK) {
        expect<u32>(upcallArgument3).toBe(2);
        expect<u32>(upcallArgument4).toBe(2);
      } else {
        expect<u32>(upcallArgument3).toBe(0);
        expect<i32>(<i32>upcallArgument4).toBe(-ETIMEDOUT);
      }
    }
    expect<u32>(seen).toBe((1 << EVENT_CLOSE) | (1 << EVENT_SK) | (1 << EVENT_SOCK) | (1 << EVENT_ACCEPT));
    sys_evctl(sock, EVJOBSHTDN, SHUTDOWN_DROP);
    finish(socket);
    expectHandler(EVENT_CLOSE, "a time-out is no end");
    expect<u32>(upcallArgument3).toBe(0);
    expectNone("returns");
    timePasses(2 * MILLISECOND);
    let closes = 0;
    for (let code = <u32>nextHandler(); code != 0; code = <u32>nextHandler())
      if ((code & 0xff) == EVENT_CLOSE) closes++;
    expect<i32>(closes).toBe(0, "nothing more can come of it");
  });

  it("does not run out for a stopped event; ends a one-shot event", () => {
    const jid = onRead(open(newStream()), EVF_ONESHOT);
    setTimeout(jid, MILLISECOND);
    sys_evctl(jid, EVJOBSTOP, 0);
    timePasses(5 * MILLISECOND);
    sys_evctl(jid, EVJOBSTART, 0);
    expectNone("stopped");
    timePasses(2 * MILLISECOND);
    expectHandler(EVENT_READ, "time-out");
    expectNone("one shot");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
  });

  it("refuses timers and what cannot be", () => {
    const timer = onTimer(1, 0);
    expect<i32>(setTimeout(timer, MILLISECOND)).toBe(-EINVAL);
    const jid = onRead(open(newStream()));
    expect<i32>(setTimeout(jid, u64.MAX_VALUE)).toBe(-EINVAL);
    expect<i32>(sys_evctl(jid, EVJOBTIMEOUT, 0xfffffff8)).toBe(-EFAULT);
    expect<i32>(setTimeout(jid, i64.MAX_VALUE)).toBe(0);
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP);
    setTimeout(onRead(open(newStream())), MILLISECOND);
    sys_evctl(timer, EVJOBSHTDN, SHUTDOWN_DROP);
  });
});
