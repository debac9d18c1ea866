/** SO_REUSEADDR: which sockets may have a port together. */
import { Socket } from "../../../net/socket/socket";
import { SO_REUSEADDR, SOL_SOCKET } from "../../../sdk/socket";
import { bind, close, connect, create, listen, setOption } from "./ends";
import { expectNothingLeft } from "./pair";
import { heard, meetPeer } from "./script";
import { OWN, PEER } from "./world";

describe("SO_REUSEADDR", () => {
  beforeAll(meetPeer);
  afterEach(expectNothingLeft);

  it("SO_REUSEADDR: both have to have it, and neither listens", () => {
    const a = create();
    const b = create();
    expect(bind(a, 0, 90)).toBe(0);
    expect(bind(b, 0, 90)).toBe(-98);
    expect(setOption(b, SOL_SOCKET, SO_REUSEADDR, 1)).toBe(0);
    expect(bind(b, 0, 90)).toBe(-98, "the other one does not want it");
    expect(setOption(a, SOL_SOCKET, SO_REUSEADDR, 1)).toBe(0);
    expect(bind(b, OWN, 90)).toBe(0);
    expect(listen(a, 5)).toBe(0);
    expect(listen(b, 5)).toBe(-98, "one listener");
    const c = create();
    expect(setOption(c, SOL_SOCKET, SO_REUSEADDR, 1)).toBe(0);
    expect(bind(c, 0, 90)).toBe(-98, "there is a listener");
    close(a);
    expect(bind(c, 0, 90)).toBe(0);
    expect(listen(b, 5)).toBe(0);
    close(b);
    expect(listen(c, 5)).toBe(0);
    close(c);
  });

  it("several connections from one port, to different peers", () => {
    const all: Socket[] = [];
    for (let i: u32 = 0; i < 5; i++) {
      const one = create();
      expect(setOption(one, SOL_SOCKET, SO_REUSEADDR, 1)).toBe(0);
      expect(bind(one, 0, 5060)).toBe(0);
      expect(connect(one, PEER, 100 + i)).toBe(-115);
      all.push(one);
    }
    const again = create();
    expect(setOption(again, SOL_SOCKET, SO_REUSEADDR, 1)).toBe(0);
    expect(bind(again, 0, 5060)).toBe(0);
    expect(connect(again, PEER, 102)).toBe(-98, "that four-tuple is taken");
    close(again);
    while (all.length != 0) close(all.pop());
    heard();
  });
});
