export async function accelerator(wanted?: string): Promise<{ name: string; cpu: string }> {
  return { name: wanted ?? "tcg", cpu: "max" };
}
