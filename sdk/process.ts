/**
 * Other processes of one's own: fork, spawn, waitpid, with the meaning that POSIX gives them. A child has memory, globals, table and stack of
 * its own, copied when they are written to, and the descriptors that its parent had.
 */

/** fork: the child has copies of the parent's events as well. Without it the child begins with none. */
export const FORK_EVENTS: i32 = 1;
/** fork, spawn: the child's status is forgotten when it ends; nobody has to wait for it. */
export const FORK_NO_WAIT: i32 = 2;
/** waitpid: returns 0 when no child has ended. */
export const WNOHANG: i32 = 1;

/**
 * A copy of this process: the child's pid here, 0 in the child. -EAGAIN: too many processes, or children of this one (`children` of the manifest); -ENOMEM; -EINVAL: an unknown flag; -EPERM in a handler that runs on
 * a thread of its own. Of FORK_EVENTS, and then there is no child: -ENOSPC: the system has no room for the copies of the events; -EDQUOT: a socket has as many with them as it may.
 */
// @ts-ignore: decorator
@external("aemos", "fork") export declare function fork(flags: i32): i32;

/** Starts the application that is linked in under a name, `length` bytes of UTF-8, as a child. Its pid; -ENOENT: no name of one stands there; -EAGAIN, -ENOMEM: as of fork; -EINVAL: an unknown flag. */
// @ts-ignore: decorator
@external("aemos", "spawn") export declare function spawn(name: usize, length: i32, flags: i32): i32;

/**
 * Waits until child `pid` (-1: any) has ended, writes its status to `status` (0: nowhere) and forgets it. Its pid; 0 with WNOHANG; -ECHILD: no such child;
 * -EINTR: a signal; -EFAULT; -EINVAL: another flag, or pid.
 */
// @ts-ignore: decorator
@external("aemos", "waitpid") export declare function waitpid(pid: i32, status: usize, flags: i32): i32;

/** `spawn` of a name in ASCII, and its errors. */
export function spawnNamed(name: string, flags: i32 = 0): i32 {
  const length = min(name.length, NAME_LIMIT + 1);
  String.UTF8.encodeUnsafe(changetype<usize>(name), length, named);
  return spawn(named, length, flags);
}

/** Bytes of a name; one more is no name. */
const NAME_LIMIT: i32 = 32;
/** A unit that is not of ASCII takes up to 3 bytes. */
const named = memory.data(100);
