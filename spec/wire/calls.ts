/** Lines of a scenario that begin with `call`: socket calls of the guest (control.ts). The language is described in scenario.ts. */
import { type Answer, type Control, resultText } from "./control.ts";
import type { CallStep } from "./parse.ts";

/** Bits of poll (sdk/socket.ts), in the order in which a result names them. */
const POLL: readonly (readonly [string, number])[] = [
  ["in", 0x0001],
  ["out", 0x0004],
  ["err", 0x0008],
  ["hup", 0x0010],
  ["rdhup", 0x2000],
];
const POLL_ALL = POLL.reduce((all, [, bit]) => all | bit, 0);
const SHUTDOWN: Record<string, number> = { read: 0, write: 1, both: 2 };
/** [level, name] */
const OPTIONS: Record<string, readonly [number, number]> = {
  reuseaddr: [1, 2],
  type: [1, 3],
  error: [1, 4],
  keepalive: [1, 9],
  oobinline: [1, 10],
  linger: [1, 13],
  acceptconn: [1, 30],
  nodelay: [6, 1],
  keepidle: [6, 4],
  keepintvl: [6, 5],
  keepcnt: [6, 6],
  user_timeout: [6, 18],
};

function pollText(bits: number): string {
  return POLL.flatMap(([name, bit]) => (bits & bit ? [name] : [])).join(" ") || "none";
}

/** Where connections from the guest go, and where it listens. */
export interface Ends {
  /** Of the guest's sockets: 2 (AF_INET) or 10 (AF_INET6). */
  family: number;
  /** The peer's. */
  address: number;
  port: number;
  /** The guest's; asked for when the first call needs it. */
  guestPort(): number;
}

/** The sockets of one scenario in the guest. */
export class Sockets {
  private connection = -1;
  private listener = -1;
  private readonly open = new Set<number>();

  constructor(
    private readonly control: Control,
    private readonly ends: Ends,
  ) {}

  /** Makes the call of a line; its result as the line writes it. */
  async perform(step: CallStep): Promise<string> {
    const [name = "", first = ""] = step.words;
    const call = this.control.call.bind(this.control);
    switch (name) {
      case "socket":
        return this.made(await call("socket", [this.ends.family]));
      case "bind":
        await this.need();
        return this.plain(call("bind", [this.connection, 0, this.ends.guestPort()]));
      case "listen": {
        await this.need();
        await call("bind", [this.connection, 0, this.ends.guestPort()]);
        const { result } = await call("listen", [this.connection, first === "" ? 8 : Number(first)]);
        if (result === 0) [this.listener, this.connection] = [this.connection, -1];
        return resultText(result);
      }
      case "accept":
        return this.made(await call("accept", [this.listener]));
      case "connect":
        await this.need();
        return this.plain(call("connect", [this.connection, this.ends.address, this.ends.port]));
      case "send": {
        const length = step.data?.length ?? Number(first);
        return this.plain(call("send", [this.connection, length], step.data));
      }
      case "recv": {
        const { result, data } = await this.recv(Number(first));
        const wantsText = step.result?.startsWith('"') === true && result > 0;
        return wantsText ? JSON.stringify(data.toString("latin1")) : resultText(result);
      }
      case "shutdown":
        return this.plain(call("shutdown", [this.connection, SHUTDOWN[first] ?? Number.NaN]));
      case "abort":
        await this.option("set", "linger", 0);
        return this.close(this.connection);
      case "close":
        return this.close(first === "listener" ? this.listener : this.connection);
      case "poll": {
        const { result } = await call("poll", [this.connection, POLL_ALL]);
        return result < 0 ? resultText(result) : pollText(result);
      }
      case "state":
        return (await this.control.states(this.connection)).at(-1) ?? "CLOSE";
      case "states":
        return (await this.control.states(this.connection)).join(" ");
      case "get":
      case "set":
        return this.option(name, first, Number(step.words[2]));
      default:
        throw new SyntaxError(`${step.line}: no call ${name}`);
    }
  }

  /** Up to `length` bytes that the connection has received, 1400 at most. */
  recv(length: number): Promise<Answer> {
    return this.control.call("recv", [this.connection, length]);
  }

  /** Closes what the scenario has left open. */
  async dispose(): Promise<void> {
    await Promise.all([...this.open].map((fd) => this.close(fd)));
  }

  /** There is a socket to work with. */
  private async need(): Promise<void> {
    if (this.connection < 0) this.made(await this.control.call("socket", [this.ends.family]));
  }

  private made({ result }: Answer): string {
    if (result < 0) return resultText(result);
    this.connection = result;
    this.open.add(result);
    return "0";
  }

  private async plain(answer: Promise<Answer>): Promise<string> {
    return resultText((await answer).result);
  }

  private async close(fd: number): Promise<string> {
    this.open.delete(fd);
    if (fd === this.connection) this.connection = -1;
    return this.plain(this.control.call("close", [fd]));
  }

  private async option(name: "get" | "set", option: string, value: number): Promise<string> {
    const [level, number] = OPTIONS[option] ?? option.split(":").map(Number);
    const list = [this.connection, level ?? 0, number ?? 0];
    if (name === "get") {
      const { result } = await this.control.call("getsockopt", list);
      // SO_ERROR is a positive errno.
      return option === "error" && result > 0 ? resultText(-result) : resultText(result);
    }
    const data = Buffer.alloc(option === "linger" ? 8 : 4);
    // struct linger: on, and its seconds.
    if (option === "linger") data.writeInt32LE(1);
    data.writeInt32LE(value, data.length - 4);
    return this.plain(this.control.call("setsockopt", list, data));
  }
}
