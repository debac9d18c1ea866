/** Several read events on one socket (AEM 3.6.5) over the real TCP and UDP, by loopback: a slow one, errors, shutdown, close, and two processes. */
import { EVJOBSTART, EVJOBSTOP } from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { ECONNREFUSED } from "../../kernel/errno";
import { upcallArgument1, upcallArgument3, upcallArgument4, upcallArgument5 } from "../../kernel/glue";
import { shareHandles } from "../../kernel/process/handles";
import { currentProcess } from "../../kernel/process/process";
import { sys_bind, sys_close, sys_connect, sys_shutdown, sys_socket } from "../../net/socket/calls";
import { sys_send, sys_sendto } from "../../net/socket/calls-send";
import { Socket } from "../../net/socket/socket";
import { onClose, onRead, readStatistics, timePasses } from "./driver";
import { newProcess, nextHandler, pattern, settle, switchTo } from "./machine";
import {
  AF_INET,
  client,
  connection,
  DATAGRAM,
  DONTWAIT,
  expectAllGone,
  LOOPBACK,
  name,
  nextPort,
  NONBLOCK,
  openDatagrams,
  openStreams,
  outgoing,
  port,
  send,
  sendDatagram,
  sent,
  server,
  setClient,
  setUpSharing,
  SHUT_WR,
  socketOf,
  udp,
  wrong,
} from "./sharing";

const SHUT_RD: i32 = 0;

beforeAll(setUpSharing);

afterEach(expectAllGone);

describe("3.6.5 several read events on one socket", () => {
  it("do not hold each other up before the receive buffer is full", () => {
    openStreams();
    onRead(server);
    const slow = onRead(server);
    sys_evctl(slow, EVJOBSTOP, 0);
    let fast: u32 = 0;
    for (let i = 0; i < 1000 && fast < connection().receiveLimit / 2; i++) {
      send(1400);
      while (nextHandler() != 0) {
        expect<i32>(wrong(upcallArgument3, fast, upcallArgument4)).toBe(0);
        fast += upcallArgument4;
      }
    }
    expect<u32>(fast).toBe(sent, "the fast one has had all");
    expect<u32>(fast).toBeGreaterThan(connection().receiveLimit / 2 - 1);
    // Then the sender has to wait, and goes on when the slow one does.
    for (let i = 0; i < 1000; i++) send(1400);
    while (nextHandler() != 0) fast += upcallArgument4;
    expect<u32>(fast).toBeLessThan(sent, "the window is closed");
    sys_evctl(slow, EVJOBSTART, 0);
    let slowHad: u32 = 0;
    for (let i = 0; i < 100; i++) {
      while (nextHandler() != 0) {
        if (<i32>upcallArgument1 == slow) {
          assert(wrong(upcallArgument3, slowHad, upcallArgument4) == 0, "bytes of the slow one");
          slowHad += upcallArgument4;
        } else fast += upcallArgument4;
        settle();
      }
      timePasses(100_000_000);
      settle();
    }
    expect<u32>(fast).toBe(sent);
    expect<u32>(slowHad).toBe(sent);
    expect<u32>(connection().receivedBytes).toBe(0);
  });

  it("each hear of a datagram's error once, after their data", () => {
    openDatagrams();
    // Nobody listens at the port that the server is connected to, and sends to.
    sys_close(client);
    setClient(sys_socket(AF_INET, DATAGRAM | NONBLOCK, 0));
    const self = port;
    assert(sys_bind(client, name(LOOPBACK, nextPort()), 16) == 0, "bind");
    assert(sys_connect(server, name(LOOPBACK, port), 16) == 0, "connect");
    const first = onRead(server);
    const second = onRead(server);
    const third = onRead(server);
    sys_evctl(third, EVJOBSTOP, 0);
    store<u8>(outgoing, pattern(0));
    assert(sys_sendto(client, outgoing, 1, DONTWAIT, name(LOOPBACK, self), 16) == 1, "send");
    sys_close(client);
    assert(sys_send(server, outgoing, 1, DONTWAIT) == 1, "send");
    settle();
    const data: i32[] = [0, 0, 0];
    const errors: i32[] = [0, 0, 0];
    for (let turn = 0; turn < 2; turn++) {
      while (nextHandler() != 0) {
        const which = <i32>upcallArgument1 == first ? 0 : <i32>upcallArgument1 == second ? 1 : 2;
        if (upcallArgument5 != 0) data[which]++;
        else {
          expect<i32>(<i32>upcallArgument4).toBe(-ECONNREFUSED);
          expect<i32>(data[which]).toBe(1, "data before the error");
          errors[which]++;
        }
      }
      expect<i32>(data[2]).toBe(turn);
      readStatistics(first);
      readStatistics(third);
      sys_evctl(third, EVJOBSTART, 0);
    }
    for (let i = 0; i < 3; i++) {
      expect<i32>(data[i]).toBe(1, "the datagram");
      expect<i32>(errors[i]).toBe(1, "the error");
    }
    setClient(sys_socket(AF_INET, DATAGRAM | NONBLOCK, 0));
  });

  it("do not look at what shutdown has thrown away", () => {
    openDatagrams();
    const peer = port;
    const slow = onRead(server);
    onRead(server);
    sys_evctl(slow, EVJOBSTOP, 0);
    for (let i = 0; i < 20; i++) sendDatagram(100);
    while (nextHandler() != 0) assert(<i32>upcallArgument1 != slow, "stopped");
    expect<u32>(udp().received.count).toBe(20, "for the slow one");
    assert(sys_connect(server, name(LOOPBACK, peer), 16) == 0, "connect");
    assert(sys_shutdown(server, SHUT_RD) == 0, "shutdown");
    expect<u32>(udp().received.count).toBe(0);
    sys_evctl(slow, EVJOBSTART, 0);
    let ends = 0;
    while (nextHandler() != 0) {
      expect<u32>(upcallArgument3).toBe(0);
      expect<i32>(<i32>upcallArgument4).toBe(0);
      ends++;
    }
    expect<i32>(ends).toBe(2, "each hears of the end");
    expect<u32>(changetype<Socket>(socketOf(server)).readers).toBe(0);
  });

  it("have a close event behind the last of them", () => {
    openStreams();
    const closing = onClose(server);
    const slow = onRead(server);
    onRead(server);
    sys_evctl(slow, EVJOBSTOP, 0);
    send(3000);
    sys_shutdown(client, SHUT_WR);
    settle();
    let order = "";
    for (let turn = 0; turn < 2; turn++) {
      while (nextHandler() != 0) {
        if (<i32>upcallArgument1 == closing) order += "c";
        else order += upcallArgument3 == 0 ? "e" : "d";
      }
      sys_evctl(slow, EVJOBSTART, 0);
    }
    expect<string>(order).toBe("dedec");
  });

  it("of two processes that share the socket get all, and one that closes it holds nothing back", () => {
    openStreams();
    const parent = currentProcess();
    const child = newProcess();
    assert(shareHandles(parent, child), "shareHandles");
    const fds = server;
    onRead(server);
    switchTo(child);
    assert(onRead(fds) > 0, "register in the child");
    switchTo(parent);
    send(5000);
    expect<u32>(drain()).toBe(5000, "the parent");
    expect<u32>(connection().receivedBytes).toBe(5000, "for the child");
    switchTo(child);
    expect<u32>(drain()).toBe(5000, "the child");
    expect<u32>(connection().receivedBytes).toBe(0, "all have had it");
    switchTo(parent);
    send(4000);
    expect<u32>(drain()).toBe(4000);
    expect<u32>(connection().receivedBytes).toBe(4000);
    switchTo(child);
    // The socket stays open in the parent.
    assert(sys_close(fds) == 0 && sys_close(client) == 0, "close");
    nextHandler();
    switchTo(parent);
    expect<u32>(connection().receivedBytes).toBe(0, "nobody waits for it");
    expect<u32>(child.vmtable.blocks).toBe(0);
  });
});

/** Has the current process's handlers run; how many bytes they got, in order from a multiple of what is expected. */
function drain(): u32 {
  let bytes: u32 = 0;
  while (nextHandler() != 0) bytes += upcallArgument4;
  return bytes;
}
