/**
 * One attempt of a request: a question to a server and its answer, over UDP or TCP (RFC 1035, 4.2; RFC 7766), and the order of the attempts. Who
 * waits is the caller's business: events in resolver.ts, poll in lookup.ts.
 *
 * Against forged answers (RFC 5452): each attempt has a socket of its own, whose port the kernel chooses at random, and a random number; the socket is
 * connected, so that only what comes from the server's address and port arrives; the question has to come back to the letter, and its letters are capital or
 * small at random ("0x20"), but in the last round: there are servers that do not keep them. Who guesses is stopped after STRAY_LIMIT wrong messages:
 * the attempt ends, and with it the port.
 */
import { CLOCK_MONOTONIC, clock_gettime, getrandom } from "../calls";
import { EINPROGRESS, EIO, EMSGSIZE, ENODATA, ENOENT, ETIMEDOUT } from "../errno";
import { NetworkAddress } from "../netinfo";
import {
  AF_INET,
  AF_INET6,
  close,
  connect,
  send,
  setAddress,
  setAddress6,
  sockaddrSize,
  socket,
} from "../socket";
import { MSG_DONTWAIT, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM } from "../socket";
import { answersQuestion, answerTtl, isTruncated, readAnswer, writeQuestion } from "./message";
import { NOISE_SIZE, Query, QUERY_ASKING, STREAM_LIMIT } from "./query";
import { dnsStatistics } from "./statistics";

/** Every server is asked so many times, in turn. */
export const ROUNDS: u32 = 3;
/** Nanoseconds for an answer in the first round; twice as many in each further one. */
export const FIRST_TIMEOUT: i64 = 1_000_000_000;
/** For a whole exchange over TCP. */
export const STREAM_TIMEOUT: i64 = 5_000_000_000;
/** Messages that are no answer, at one socket. */
export const STRAY_LIMIT: u32 = 32;

const DNS_PORT: u32 = 53;

/** What has become of an attempt, if it is no negative errno: it goes on; the request has its result; the answer has to be fetched over TCP. */
export const ATTEMPT_WAITS: i32 = 0;
export const ATTEMPT_DONE: i32 = 1;
export const ATTEMPT_CUT: i32 = 2;

const address = memory.data(28, 8);
/** The server that has answered last. */
let preferred: u32 = 0;

/** With which server a request begins, if there are so many. */
export function preferredServer(): u32 {
  return preferred;
}

/** Chooses the server of the next attempt. False: there have been all. */
export function nextAttempt(query: Query): bool {
  if (query.attempt >= ROUNDS * query.servers) return false;
  query.server = (query.first + query.attempt) % query.servers;
  query.attempt++;
  query.overTcp = 0;
  query.strays = 0;
  return true;
}

// @ts-ignore: decorator
@inline
function roundOf(query: Query): u32 {
  return (query.attempt - 1) / query.servers;
}

/** The attempt's socket, of type SOCK_DGRAM or SOCK_STREAM, connected or about to be. 0, or a negative errno; there may be a socket all the same. */
export function openSocket(query: Query, type: i32): i32 {
  const server = changetype<NetworkAddress>(
    query.serverAddresses + <usize>query.server * offsetof<NetworkAddress>(),
  );
  const fd = socket(server.isIpv4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK, 0);
  if (fd < 0) return fd;
  query.fd = fd;
  query.overTcp = type == SOCK_STREAM ? 1 : 0;
  query.received = 0;
  query.deadline = clock_gettime(CLOCK_MONOTONIC) + STREAM_TIMEOUT;
  if (server.isIpv4) setAddress(address, server.ipv4, DNS_PORT);
  else setAddress6(address, server.high, server.low, DNS_PORT);
  const error = connect(fd, address, sockaddrSize(address));
  return error == -EINPROGRESS ? 0 : error;
}

/** Lets go of the socket, and of the events on it. */
export function closeSocket(query: Query): void {
  const fd = query.fd;
  query.fd = -1;
  query.serial++;
  if (fd >= 0) close(fd);
}

/** Sends the question, and makes the request ASKING. 0, also when the answer has come within the call; or a negative errno. */
export function ask(query: Query): i32 {
  const noise = query.noise;
  const error = getrandom(noise, NOISE_SIZE, 0);
  if (error < 0) return error;
  if (query.overTcp == 0) query.deadline = clock_gettime(CLOCK_MONOTONIC) + (FIRST_TIMEOUT << roundOf(query));
  const bits = roundOf(query) < ROUNDS - 1 ? noise + 2 : 0;
  const asked = writeQuestion(query.question, load<u16>(noise), query.name, query.nameSize, query.type, bits);
  store<u16>(query.framed, bswap<u16>(<u16>asked));
  query.asked = asked;
  query.state = QUERY_ASKING;
  const statistics = dnsStatistics();
  const serial = query.serial;
  let sent: i32;
  if (query.overTcp == 0) {
    statistics.asked++;
    sent = send(query.fd, query.question, asked, MSG_DONTWAIT);
  } else {
    // A new connection has room for this.
    statistics.askedOverTcp++;
    sent = send(query.fd, query.framed, asked + 2, MSG_DONTWAIT);
  }
  // Handlers may have run at the end of the call: then the request may be in another attempt, or another one's.
  if (query.serial != serial) return 0;
  return sent < 0 ? sent : 0;
}

/** A datagram for the attempt: ATTEMPT_*, or the negative errno with which the attempt has failed. */
export function takeDatagram(query: Query, data: usize, length: u32): i32 {
  if (!answersQuestion(data, length, query.question, query.asked)) {
    dnsStatistics().strays++;
    return ++query.strays < STRAY_LIMIT ? ATTEMPT_WAITS : -EIO;
  }
  return isTruncated(data) ? ATTEMPT_CUT : judge(query, data, length);
}

/** Octets of the stream for the attempt, which are put into its block. As `takeDatagram`. */
export function takeStream(query: Query, data: usize, length: u32): i32 {
  const room = STREAM_LIMIT + 2 - query.received;
  const taken = min(length, room);
  memory.copy(query.block + query.received, data, taken);
  query.received += taken;
  if (query.received < 2) return ATTEMPT_WAITS;
  const size: u32 = bswap<u16>(load<u16>(query.block));
  if (size > STREAM_LIMIT) return -EMSGSIZE;
  if (query.received < size + 2) return ATTEMPT_WAITS;
  if (!answersQuestion(query.block + 2, size, query.question, query.asked)) return -EIO;
  return judge(query, query.block + 2, size);
}

function judge(query: Query, message: usize, length: u32): i32 {
  const result = readAnswer(
    message,
    length,
    query.asked,
    query.name,
    query.nameSize,
    query.type,
    query.addresses,
  );
  if (result < 0 && result != -ENOENT && result != -ENODATA) return result;
  query.result = result;
  query.ttl = answerTtl;
  preferred = query.server;
  return ATTEMPT_DONE;
}

/** Counts how an attempt has failed, and remembers it: the last such errno is what the request ends with. */
export function failAttempt(query: Query, error: i32): void {
  query.error = error;
  if (error == -ETIMEDOUT) dnsStatistics().timeouts++;
  else dnsStatistics().errors++;
}
