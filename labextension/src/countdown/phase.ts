/**
 * The phase of a run and the time left, as pure functions. They give the same results as
 * `domain/countdown.py`: both are tested with the cases in `tests/contract/countdown.json`.
 */

/** How near the stop time is, or why there is no time left to show. */
export type Phase =
  'calm' | 'soon' | 'urgent' | 'stopping' | 'stopped' | 'off' | 'idle' | 'unknown';

/** The phases in which the time left is counted down. */
export type CountingPhase = 'calm' | 'soon' | 'urgent';

/** The input of {@link evaluatePhase}. */
export interface PhaseInput {
  /** The status of the instance in the API's notation, such as `RUNNING`. */
  readonly status: string;
  /** Whether auto-stop is on; `null` when the API did not return it. */
  readonly enabled: boolean | null;
  /** `TIMING` stops at a set time, `IDLE` when usage is low; `null` means `TIMING`. */
  readonly mode: string | null;
  /** The stop time in milliseconds since 1970; `null` when there is none. */
  readonly stopsAtMs: number | null;
}

/** The output of {@link evaluatePhase}. */
export interface PhaseResult {
  /** How near the stop time is, or why no time is counted down. */
  readonly phase: Phase;
  /** Whole seconds left: a number while counting down, 0 while stopping, else `null`. */
  readonly remainingS: number | null;
}

/** A duration split into the units that are shown. */
export interface DurationUnits {
  /** Whole hours. */
  readonly hours: number;
  /** Whole minutes, 0 to 59. */
  readonly minutes: number;
  /** Seconds, 0 to 59; `null` from ten minutes on, where only minutes are shown. */
  readonly seconds: number | null;
}

/** Seconds left from which on the phase is `soon`. */
export const SOON_S = 30 * 60;
/** Seconds left from which on the phase is `urgent` and seconds are part of the label. */
export const URGENT_S = 10 * 60;
/** Milliseconds after the stop time from which on it counts as unknown if the run continues. */
export const GRACE_MS = 60_000;

/** A stop time that the API derives from the time left varies by this much between two reads. */
const STOP_TIME_JITTER_MS = 5_000;

const RUNNING_STATUSES: ReadonlySet<string> = new Set(['RUNNING', 'SNAPSHOTTING']);
const STOPPING_STATUSES: ReadonlySet<string> = new Set(['STOPPING', 'DELETING']);
/** The statuses of an instance that does not run and does not start by itself. */
const STOPPED_STATUSES: ReadonlySet<string> = new Set([
  ...['STOPPED', 'DELETED', 'FROZEN', 'ERROR'],
  ...['CREATE_FAILED', 'START_FAILED', 'RESIZE_FAILED', 'DELETE_FAILED'],
]);

const withoutTimeLeft = (phase: Phase): PhaseResult => ({ phase, remainingS: null });

/** Whether two stop times differ by more than the API's inaccuracy. */
export function stopTimesDiffer(oneMs: number | null, otherMs: number | null): boolean {
  return Math.abs((oneMs ?? 0) - (otherMs ?? 0)) > STOP_TIME_JITTER_MS;
}

/** Whether the time left is counted down in this phase. */
export function isCounting(phase: Phase): phase is CountingPhase {
  return phase === 'calm' || phase === 'soon' || phase === 'urgent';
}

/**
 * Return the phase and the time left.
 *
 * @param input - the last known auto-stop of the instance
 * @param nowMs - the time by the server's clock
 */
export function evaluatePhase(input: PhaseInput, nowMs: number): PhaseResult {
  if (STOPPING_STATUSES.has(input.status)) {
    return { phase: 'stopping', remainingS: 0 };
  }
  if (STOPPED_STATUSES.has(input.status)) {
    return withoutTimeLeft('stopped');
  }
  if (input.enabled === false) {
    return withoutTimeLeft('off');
  }
  if (!RUNNING_STATUSES.has(input.status) || input.enabled === null) {
    return withoutTimeLeft('unknown');
  }
  return input.mode === 'IDLE' ? withoutTimeLeft('idle') : countingResult(input.stopsAtMs, nowMs);
}

function countingResult(stopsAtMs: number | null, nowMs: number): PhaseResult {
  if (stopsAtMs === null) {
    return withoutTimeLeft('unknown');
  }
  const leftMs = stopsAtMs - nowMs;
  if (leftMs <= 0) {
    return leftMs >= -GRACE_MS ? { phase: 'stopping', remainingS: 0 } : withoutTimeLeft('unknown');
  }
  const remainingS = Math.floor(leftMs / 1000);
  return { phase: countingPhase(remainingS), remainingS };
}

function countingPhase(remainingS: number): Phase {
  if (remainingS <= URGENT_S) {
    return 'urgent';
  }
  return remainingS <= SOON_S ? 'soon' : 'calm';
}

/** The parts of a state that say whether its stop time has passed. */
interface StopState {
  readonly status: string;
  readonly stops_at_ms: number | null;
  readonly passed_stop_ms: number | null;
}

/** Return the stop time that has passed while the instance still runs, else `null`. */
export function passedStopTime(state: StopState, phase: Phase): number | null {
  const hasPassed = phase === 'unknown' || (phase === 'stopping' && state.status !== 'STOPPING');
  return hasPassed ? (state.passed_stop_ms ?? state.stops_at_ms) : null;
}

/** Return the milliseconds until the result of {@link evaluatePhase} changes; `null` if it does not. */
export function msUntilNextPhaseUpdate(input: PhaseInput, nowMs: number): number | null {
  const { phase } = evaluatePhase(input, nowMs);
  const leftMs = (input.stopsAtMs ?? 0) - nowMs;
  if (isCounting(phase)) {
    return Math.min((leftMs % 1000) + 1, leftMs);
  }
  const inGrace = phase === 'stopping' && !STOPPING_STATUSES.has(input.status);
  return inGrace ? leftMs + GRACE_MS + 1 : null;
}

/** Split whole seconds into hours, minutes and, below ten minutes, seconds. */
export function splitDuration(totalS: number): DurationUnits {
  const minutes = Math.floor(totalS / 60);
  return {
    hours: Math.floor(minutes / 60),
    minutes: minutes % 60,
    seconds: totalS < URGENT_S ? totalS % 60 : null,
  };
}

/** Seconds left at which a screen reader announces the stop time, once per stop time. */
export const ANNOUNCEMENT_THRESHOLDS_S: readonly number[] = [120, 600, 1800];

/** Detects when the time left reaches a threshold. The first call for a stop time detects none. */
export class AnnouncementThresholds {
  #stopsAtMs: number | null = null;
  #lowestRemainingS = 0;

  /** Return the threshold just reached (the lowest one, if several were passed), or `null`. */
  findCrossed(stopsAtMs: number, remainingS: number): number | null {
    if (stopTimesDiffer(stopsAtMs, this.#stopsAtMs)) {
      this.#stopsAtMs = stopsAtMs;
      this.#lowestRemainingS = remainingS;
    }
    const threshold = ANNOUNCEMENT_THRESHOLDS_S.find(
      (s) => remainingS <= s && this.#lowestRemainingS > s,
    );
    this.#lowestRemainingS = Math.min(this.#lowestRemainingS, remainingS);
    return threshold ?? null;
  }
}
