/** The work that the instance is kept running for, read from the payload. */

import { asArray, asNumber, asObject, asString } from '../countdown/messages';

/** Work that the instance is kept running for. */
export interface KeptWork {
  /** Identifies it. */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** What it is, such as `cell` or `while-busy`. */
  readonly kind: string;
  /** Why the instance is kept, in the user's words; may be empty. */
  readonly reason: string;
  /** Since when, in milliseconds since 1970. */
  readonly sinceMs: number;
  /** Until when at most. */
  readonly untilMs: number;
  /** Whether the instance is stopped afterwards. */
  readonly stopsAfterwards: boolean;
}

/** The stop of the instance after work that has ended, or because nothing works. */
export interface PlannedStop {
  /** The name of the work; empty if nothing works. */
  readonly name: string;
  /** When the instance is stopped; `null` while other work postpones it. */
  readonly stopsAtMs: number | null;
  /** The other work. */
  readonly waitingFor: readonly string[];
}

/** What came of a signal, a command or a function before the stop. */
export interface MarkResult {
  /** The time and the result, as a text of the server. */
  readonly text: string;
  /** Whether it ran. */
  readonly isOk: boolean;
}

/** The work that the instance is kept running for, and the stop after it. */
export interface KeepState {
  /** The work, the oldest first. */
  readonly work: readonly KeptWork[];
  /** The stop after it; `null` when none is planned. */
  readonly stop: PlannedStop | null;
  /** That auto-stop goes back to idle mode, as a text of the server; empty if it does not. */
  readonly switchedMode: string;
  /** What came of the signals, commands and functions before a stop, as texts of the server. */
  readonly results: readonly MarkResult[];
  /** Why the instance may not be kept, or was not stopped, as a text of the server; may be empty. */
  readonly problem: string;
  /** After how many seconds without work the instance is stopped; `null` if it is not. */
  readonly idleTimeS: number | null;
}

/** Read what keeps the instance running. */
export function readKeepState(value: unknown): KeepState {
  const { guards, stop, problem, failed_stop, stop_when_idle, switched_mode, results } =
    asObject(value);
  return {
    work: asArray(guards).flatMap(readWork),
    stop: stop ? readStop(asObject(stop)) : null,
    switchedMode: asString(switched_mode),
    results: asArray(results)
      .map(asObject)
      .map(({ text, ok }) => ({ text: asString(text), isOk: ok === true })),
    problem: [problem, failed_stop].map(asString).filter(Boolean).join(' '),
    idleTimeS: asNumber(asObject(stop_when_idle).idle_s),
  };
}

function readWork(value: unknown): readonly KeptWork[] {
  const { id, name, reason, since_ms, until_ms, then, kind } = asObject(value);
  const [sinceMs, untilMs] = [asNumber(since_ms), asNumber(until_ms)];
  return sinceMs === null || untilMs === null
    ? []
    : [
        {
          ...{ id: asString(id), name: asString(name), reason: asString(reason) },
          kind: asString(kind),
          ...{ sinceMs, untilMs, stopsAfterwards: then === 'stop' },
        },
      ];
}

function readStop(stop: Readonly<Record<string, unknown>>): PlannedStop {
  return {
    name: asString(stop.name),
    stopsAtMs: asNumber(stop.stops_at_ms),
    waitingFor: asArray(stop.waiting_for).map(asString),
  };
}
