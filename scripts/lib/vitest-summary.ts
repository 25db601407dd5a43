/** Reads vitest's JSON report. */
import { existsSync, readFileSync } from "node:fs";
import * as z from "zod";

const reportSchema = z.object({
  numPassedTests: z.int(),
  numFailedTests: z.int(),
  numPendingTests: z.int(),
  numTodoTests: z.int(),
  success: z.boolean(),
});

export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/**
 * A run that left no report, or that failed without a failing test (a file that did not load, an unhandled error), counts as
 * one failure: it must not look like success. So does a skipped test.
 */
export function countsOf(file: string, exitCode: number): Counts {
  if (!existsSync(file)) return { passed: 0, failed: 1 };
  const report = reportSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  const failed = report.numFailedTests + report.numPendingTests + report.numTodoTests;
  const hidden = failed === 0 && (exitCode !== 0 || !report.success) ? 1 : 0;
  return { passed: report.numPassedTests, failed: failed + hidden };
}
