/** The processor as Linux shows it: which cores there are, who runs where, and what a process has used. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Not Linux, or the process is gone: the caller says "n/a".
    return undefined;
  }
}

/** Cores that this process may run on; empty where that is not known. */
export function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(read("/proc/self/status") ?? "")?.[1] ?? "";
  return list
    .split(",")
    .filter((range) => range !== "")
    .flatMap((range) => {
      const [first = 0, last = first] = range.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, at) => first + at);
    });
}

/** Keeps all threads of a process on one core. @returns false where `taskset` is missing or refuses */
export function pin(pid: number, core: number): boolean {
  return spawnSync("taskset", ["-a", "-c", "-p", String(core), String(pid)], { stdio: "ignore" }).status === 0;
}

/** Processes below `pid` whose program has this name. */
export function descendants(pid: number, program: string): number[] {
  const children = (read(`/proc/${pid}/task/${pid}/children`) ?? "").split(" ").filter((one) => one.trim() !== "");
  return children.map(Number).flatMap((child) => {
    const name = read(`/proc/${child}/comm`)?.trim();
    return [...(name === program ? [child] : []), ...descendants(child, program)];
  });
}

function threads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/**
 * Processor time that a process has used, user and system, in microseconds: the scheduler's own count of nanoseconds where the
 * kernel shows it, else the ticks of 10 ms.
 */
export function cpuTime_us(pid: number): number | undefined {
  const exact = threads(pid).map((thread) => read(`/proc/${pid}/task/${thread}/schedstat`));
  if (exact.length > 0 && exact.every((one) => one !== undefined)) {
    return exact.reduce((sum, one) => sum + Number(one?.split(" ")[0]), 0) / 1000;
  }
  const fields = /^\d+ \(.*\) (.*)$/s.exec(read(`/proc/${pid}/stat`) ?? "")?.[1]?.split(" ");
  return fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** Resident memory in bytes. */
export function memory_bytes(pid: number): number | undefined {
  const kilobytes = /^VmRSS:\s*(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}
