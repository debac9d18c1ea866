/** The smallest parts of a scenario's line: numbers, texts, ranges of sequence numbers. All throw SyntaxError. */

/** What stands in quotes, with the escapes of JSON; one byte for each character. */
export function text(token: string): Buffer {
  return Buffer.from(JSON.parse(token) as string, "latin1");
}

/** A decimal or hexadecimal number. */
export function number(token: string | undefined): number {
  if (token === undefined || !/^-?(\d+|0x[0-9a-f]+)$/i.test(token))
    throw new SyntaxError(`not a number: ${token}`);
  return Number(token);
}

/** `1:6(5)`, or `*`: undefined. */
export function parseRange(token: string | undefined): { sequence: number; length: number } | undefined {
  if (token === "*") return undefined;
  const match = /^(-?\d+):(-?\d+)\((\d+)\)$/.exec(token ?? "");
  if (!match) throw new SyntaxError(`not a range of sequence numbers: ${token}`);
  const [start, end, length] = match.slice(1).map(Number) as [number, number, number];
  if (end - start !== length) throw new SyntaxError("range and length differ");
  return { sequence: start, length };
}
