/**
 * A DNS server on the frame peer, under several addresses, over UDP and TCP. What it answers is a function of the test's, which may be changed at any time;
 * `questions` keeps what was asked.
 *
 * Its TCP is for a wire that loses nothing: one question of a connection, and the answer with the end of the stream.
 */
import { type DnsQuestion, decodeQuestion } from "./dns.ts";
import { address } from "./frame.ts";
import type { Peer, Received } from "./peer.ts";
import { ACK, FIN, PSH, SYN, sequenceAdd, segmentLength } from "./tcp.ts";

export interface Asked extends DnsQuestion {
  /** The server's address, as a text; the guest's port. */
  server: string;
  port: number;
  tcp: boolean;
}

/** Messages that go back, as they are. */
export type Answerer = (asked: Asked) => Buffer[];

interface Connection {
  next: number;
  expected: number;
  data: Buffer;
}

export class DnsServer {
  answerer: Answerer = () => [];
  readonly questions: Asked[] = [];
  private readonly connections = new Map<string, Connection>();
  private readonly stop: () => void;

  constructor(
    private readonly peer: Peer,
    private readonly servers: readonly string[],
  ) {
    this.stop = peer.subscribe((received) => this.input(received));
  }

  close(): void {
    this.stop();
  }

  /** Sends a datagram from whatever address and port to a port of the guest. */
  send(payload: Buffer, destinationPort: number, from: string, sourcePort = 53): void {
    this.peer.sendUdp({ sourcePort, destinationPort, payload }, this.peer.guest, address(from));
  }

  private input({ ip, udp, tcp }: Received): void {
    const server = this.servers.find((each) => address(each) === ip?.destination);
    if (ip === undefined || server === undefined) return;
    if (udp?.destinationPort === 53 && udp.checksumOk) {
      for (const answer of this.ask(udp.payload, server, udp.sourcePort, false))
        this.send(answer, udp.sourcePort, server);
    }
    if (tcp?.destinationPort === 53) this.segment(server, ip.destination, tcp);
  }

  private ask(bytes: Buffer, server: string, port: number, tcp: boolean): Buffer[] {
    const question = decodeQuestion(bytes);
    if (question === undefined) throw new Error(`a question that is none: ${bytes.toString("hex")}`);
    const asked = { ...question, server, port, tcp };
    this.questions.push(asked);
    return this.answerer(asked);
  }

  private segment(server: string, own: number, tcp: NonNullable<Received["tcp"]>): void {
    const key = `${server} ${tcp.sourcePort}`;
    let connection = this.connections.get(key);
    if (tcp.flags & SYN) {
      connection = { next: 1000, expected: sequenceAdd(tcp.sequence, 1), data: Buffer.alloc(0) };
      this.connections.set(key, connection);
      this.transmit(own, tcp.sourcePort, connection, SYN | ACK, Buffer.alloc(0));
      return;
    }
    if (connection === undefined || segmentLength(tcp) === 0 || tcp.sequence !== connection.expected) return;
    connection.expected = sequenceAdd(tcp.sequence, segmentLength(tcp));
    connection.data = Buffer.concat([connection.data, tcp.payload]);
    const { data } = connection;
    const whole = data.length > 2 && data.length === data.readUInt16BE(0) + 2;
    const answers =
      whole && !(tcp.flags & FIN) ? this.ask(data.subarray(2), server, tcp.sourcePort, true) : [];
    if (answers.length === 0) {
      this.transmit(own, tcp.sourcePort, connection, ACK, Buffer.alloc(0));
      return;
    }
    const framed = answers.map((answer) =>
      Buffer.concat([Buffer.from([answer.length >> 8, answer.length & 255]), answer]),
    );
    const all = Buffer.concat(framed);
    // In pieces that cut the length in two, and the message.
    const cuts = [0, 1, 7, ...Array.from({ length: Math.ceil(all.length / 1000) }, (_, i) => 1000 * (i + 1))];
    for (let i = 0; i + 1 < cuts.length; i++) {
      const piece = all.subarray(cuts[i], cuts[i + 1]);
      const last = (cuts[i + 1] as number) >= all.length;
      this.transmit(own, tcp.sourcePort, connection, ACK | PSH | (last ? FIN : 0), piece);
    }
  }

  private transmit(own: number, to: number, connection: Connection, flags: number, payload: Buffer): void {
    const segment = {
      ...{
        sourcePort: 53,
        destinationPort: to,
        sequence: connection.next,
        acknowledgement: connection.expected,
      },
      ...{ flags, window: 65535, options: flags & SYN ? { mss: 1460 } : {}, payload },
    };
    connection.next = sequenceAdd(connection.next, segmentLength(segment));
    this.peer.sendTcp(segment, this.peer.guest, own);
  }
}
