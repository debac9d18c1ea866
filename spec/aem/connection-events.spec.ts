/** AEM on connections of the real TCP, by loopback: every state, end, reset and close. */
import { EVENT_ACCEPT, EVENT_CLOSE, EVENT_READ, EVENT_SK } from "../../aem/abi";
import { sys_sockasync_accept } from "../../aem/sockasync";
import { ECONNRESET } from "../../kernel/errno";
import { upcallArgument1, upcallArgument2, upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import {
  sys_bind,
  sys_close,
  sys_connect,
  sys_listen,
  sys_shutdown,
  sys_socket,
} from "../../net/socket/calls";
import { sys_send } from "../../net/socket/calls-send";
import * as fake from "../fake";
import { data, expectAllClosed, fill, setUpCalls } from "./calls";
import { expectHandler, expectNone, onClose, onRead, onState, zone } from "./driver";
import { handlerOf, nextHandler, settle } from "./machine";
import {
  address,
  AF_INET,
  client,
  connectPair,
  LOOPBACK,
  nextPort,
  NONBLOCK,
  port,
  server,
  setClient,
  setServer,
  STREAM,
} from "./pair";

beforeAll(setUpCalls);

beforeEach(() => {
  fake.onIdle(0);
});

afterEach(expectAllClosed);

/** Every transition that sk events reported since the last call, as hexadecimal digits: old and new of each. */
let transitions = "";

function runHandlers(): void {
  for (let code = <u32>nextHandler(); code != 0; code = <u32>nextHandler()) {
    if ((code & 0xff) == EVENT_SK) {
      transitions += upcallArgument3.toString(16) + ">" + upcallArgument4.toString(16) + " ";
    } else if ((code & 0xff) == EVENT_ACCEPT) {
      setServer(<i32>upcallArgument3);
    }
  }
}

describe("events of real connections", () => {
  it("accept, every state, data, end and close of an orderly connection", () => {
    const listening = sys_socket(AF_INET, STREAM, 0);
    onState(listening);
    expect<i32>(sys_bind(listening, address(0, nextPort()), 16)).toBe(0);
    expect<i32>(sys_listen(listening, 5)).toBe(0);
    runHandlers();
    expect<string>(transitions).toBe("7>a ", "CLOSE -> LISTEN");
    transitions = "";
    sys_sockasync_accept(listening, 0, 0, 0, handlerOf(EVENT_ACCEPT));
    setClient(sys_socket(AF_INET, STREAM | NONBLOCK, 0));
    onState(client);
    sys_connect(client, address(LOOPBACK, port), 16);
    settle();
    setServer(-1);
    runHandlers();
    expect<string>(transitions).toBe("7>2 2>1 ", "SYN_SENT, ESTABLISHED");
    expect<i32>(server).toBeGreaterThanOrEqual(0);
    transitions = "";
    onState(server);
    const closer = onClose(server);
    onRead(server);
    fill(3000);
    expect<i32>(sys_send(client, data, 3000, 0)).toBe(3000);
    sys_shutdown(client, 1);
    settle();
    // In the order in which they occurred: data, the state, the end, and the close behind it.
    let received: u32 = 0;
    let ends = "";
    let order = "";
    for (let code = <u32>nextHandler(); code != 0; code = <u32>nextHandler()) {
      const type = code & 0xff;
      if (type == EVENT_READ && upcallArgument4 != 0) {
        expect<i32>(memory.compare(zone(upcallArgument3), data + received, upcallArgument4)).toBe(0, "data");
        received += upcallArgument4;
      } else if (type == EVENT_READ) order += "end ";
      else if (type == EVENT_CLOSE) {
        order += "close ";
        expect<i32>(<i32>upcallArgument1).toBe(closer);
        expect<u32>(upcallArgument3).toBe(0);
      } else if (type == EVENT_SK) {
        if (<i32>upcallArgument2 == client)
          transitions += upcallArgument3.toString(16) + ">" + upcallArgument4.toString(16) + " ";
        else ends += upcallArgument3.toString(16) + ">" + upcallArgument4.toString(16) + " ";
      }
    }
    expect<u32>(received).toBe(3000);
    expect<string>(order).toBe("end close ");
    expect<string>(ends).toBe(
      "a>3 3>1 1>8 ",
      "SYN_RECV, ESTABLISHED, CLOSE_WAIT at the server, although it was accepted before",
    );
    expect<string>(transitions).toBe("1>4 4>5 ", "FIN_WAIT1, FIN_WAIT2");
    transitions = "";
    sys_close(server);
    settle();
    runHandlers();
    expect<string>(transitions).toBe("5>6 ", "TIME_WAIT");
    sys_close(client);
    sys_close(listening);
    transitions = "";
  });

  it("a reset reaches read and close", () => {
    connectPair();
    const closer = onClose(client);
    onRead(client);
    // Unread data at a close: the peer is told by a reset.
    sys_send(client, data, 10, 0);
    settle();
    sys_close(server);
    settle();
    expectHandler(EVENT_READ, "the error");
    expect<i32>(<i32>upcallArgument4).toBe(-ECONNRESET);
    expectHandler(EVENT_CLOSE, "and the close");
    expect<i32>(<i32>upcallArgument1).toBe(closer);
    expect<i32>(<i32>upcallArgument3).toBe(-ECONNRESET);
    expectNone("once");
    sys_close(client);
  });
});
