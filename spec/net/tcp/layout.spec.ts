/** The layout of a connection that net/socket/tcp/connection.ts promises, in lines of a cache. */
import { FRAME_SIZE } from "../../../kernel/memory/frames";
import { CONNECTION_SIZE, TcpConnection } from "../../../net/socket/tcp/connection";

const LINE: usize = 64;

describe("a connection", () => {
  it("has nine lines, seven of them in a frame", () => {
    expect<usize>(CONNECTION_SIZE).toBe(9 * LINE);
    expect<usize>(FRAME_SIZE / CONNECTION_SIZE).toBe(7);
  });

  it("receives with its third line, sends with its fourth, has times in its fifth and timers in its sixth", () => {
    const c = changetype<TcpConnection>(<usize>0);
    expect(offsetof<TcpConnection>("SND_UNA")).toBe(2 * LINE);
    expect(offsetof<TcpConnection>("sendHead")).toBe(3 * LINE);
    expect(offsetof<TcpConnection>("lastSent")).toBe(4 * LINE);
    expect(changetype<usize>(c.retransmitTimer)).toBe(5 * LINE);
    expect(changetype<usize>(c.ackTimer) + 24).toBe(offsetof<TcpConnection>("roundEnd"));
    expect(offsetof<TcpConnection>("hash")).toBe(6 * LINE);
  });
});
