/** Errors that are the user's to mend: shown as one message, without a stack. */

/** Something that the user wrote or has to install is wrong; the message names the file and what is wrong with it. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** Message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether `error` is a system error with this code ("ENOENT"). */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}
