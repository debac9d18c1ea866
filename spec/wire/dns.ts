/**
 * DNS messages as bytes (RFC 1035, 4.1), and a DNS server on the frame peer, over UDP and TCP. Names are texts with dots; a name in an answer is
 * compressed where a part of it has been written before.
 */
export const A = 1;
export const CNAME = 5;
export const SOA = 6;
export const AAAA = 28;

export interface DnsRecord {
  name: string;
  type: number;
  ttl?: number;
  /** Of A and AAAA the address's octets; of CNAME a name; of SOA the minimum; or whatever octets. */
  data: Buffer | string | number;
}

export interface DnsResponse {
  /** RCODE: 0 no error, 2 server failure, 3 no such name, 5 refused. */
  code?: number;
  truncated?: boolean;
  answers?: DnsRecord[];
  authority?: DnsRecord[];
}

export interface DnsQuestion {
  id: number;
  /** As it was written, capital letters and all. */
  name: string;
  type: number;
  /** The whole message. */
  bytes: Buffer;
}

/** A name without compression. */
export function encodeName(name: string): Buffer {
  const labels = name === "" ? [] : name.split(".");
  return Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, "latin1")])),
    Buffer.from([0]),
  ]);
}

/** A question, or undefined for what is none. */
export function decodeQuestion(bytes: Buffer): DnsQuestion | undefined {
  if (bytes.length < 17 || bytes.readUInt16BE(4) !== 1 || (bytes[2] as number) & 0x80) return undefined;
  const labels: string[] = [];
  let at = 12;
  for (let octets = bytes[at] ?? 0; octets > 0; octets = bytes[at] ?? 0) {
    labels.push(bytes.subarray(at + 1, at + 1 + octets).toString("latin1"));
    at += octets + 1;
  }
  if (at + 5 > bytes.length) return undefined;
  return { id: bytes.readUInt16BE(0), name: labels.join("."), type: bytes.readUInt16BE(at + 1), bytes };
}

/** Writes a message with names compressed: every part that stands in it already becomes a pointer. */
class Writer {
  private readonly known = new Map<string, number>();
  constructor(public bytes: Buffer) {}

  put(bytes: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, bytes]);
  }
  word(value: number): void {
    this.put(Buffer.from([value >> 8, value & 255]));
  }
  long(value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value >>> 0);
    this.put(bytes);
  }
  name(name: string): void {
    const labels = name === "" ? [] : name.split(".");
    while (labels.length > 0) {
      const rest = labels.join(".");
      const found = this.known.get(rest);
      if (found !== undefined) {
        this.word(0xc000 | found);
        return;
      }
      if (this.bytes.length < 0x4000) this.known.set(rest, this.bytes.length);
      const label = labels.shift() as string;
      this.put(Buffer.from([label.length]));
      this.put(Buffer.from(label, "latin1"));
    }
    this.put(Buffer.from([0]));
  }
  record({ name, type, ttl = 60, data }: DnsRecord): void {
    this.name(name);
    this.word(type);
    this.word(1);
    this.long(ttl);
    const length = this.bytes.length;
    this.word(0);
    if (typeof data === "string") this.name(data);
    else if (typeof data === "number") {
      this.name("ns.test");
      this.name("root.test");
      for (const value of [1, 2, 3, 4, data]) this.long(value);
    } else this.put(data);
    this.bytes.writeUInt16BE(this.bytes.length - length - 2, length);
  }
}

/** The response to a question. */
export function encodeResponse(question: DnsQuestion, response: DnsResponse): Buffer {
  const { code = 0, truncated = false, answers = [], authority = [] } = response;
  const writer = new Writer(Buffer.alloc(12));
  writer.bytes.writeUInt16BE(question.id, 0);
  writer.bytes.writeUInt16BE(0x8180 | (truncated ? 0x200 : 0) | code, 2);
  writer.bytes.writeUInt16BE(1, 4);
  writer.bytes.writeUInt16BE(answers.length, 6);
  writer.bytes.writeUInt16BE(authority.length, 8);
  writer.name(question.name);
  writer.word(question.type);
  writer.word(1);
  for (const record of [...answers, ...authority]) writer.record(record);
  return writer.bytes;
}
