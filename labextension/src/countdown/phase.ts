/**
 * What a stop time means at a moment. Pure; equal, case by case, to Python's `countdown.py`
 * (the shared table is `tests/contract/countdown.json`).
 */

/** How near the end of the run is, or why there is no end to count to. */
export type Phase =
  'calm' | 'soon' | 'urgent' | 'stopping' | 'stopped' | 'off' | 'idle' | 'unknown';

/** The phases with a number of seconds that goes down. */
export type CountingPhase = 'calm' | 'soon' | 'urgent';

/** What the rules look at. */
export interface PhaseInput {
  /** The cloud's word for the instance's state, such as `RUNNING`. */
  readonly status: string;
  /** Whether auto-stop is on; `null` when the cloud did not say. */
  readonly enabled: boolean | null;
  /** How auto-stop decides: at a time, or when use is low. An absent mode means `TIMING`. */
  readonly mode: string | null;
  /** When the run ends, in milliseconds since 1970. */
  readonly stopsAtMs: number | null;
}

/** What the rules say. */
export interface PhaseResult {
  readonly phase: Phase;
  /** Whole seconds left: a number while counting, 0 while stopping, else `null`. */
  readonly remainingS: number | null;
}

/** A duration cut into the units that are shown. */
export interface DurationUnits {
  readonly hours: number;
  readonly minutes: number;
  /** `null` from ten minutes on, where only minutes are shown. */
  readonly seconds: number | null;
}

/** Left at most this many seconds: the phase is `soon`. */
export const SOON_S = 30 * 60;
/** Left at most this many seconds: the phase is `urgent`, and seconds are part of the label. */
export const URGENT_S = 10 * 60;
/** A run may outlive its stop time by this much before the stop time counts as unknown. */
export const GRACE_MS = 60_000;

/** A stop time that follows from the time left moves by this much from one look to the next. */
const STOP_TIME_JITTER_MS = 5_000;

const RUNNING_STATUSES: ReadonlySet<string> = new Set(['RUNNING', 'SNAPSHOTTING']);
const STOPPED_STATUS_PATTERN = /^(STOPPED|DELETED|[A-Z_]+_FAILED)$/;

const withoutTimeLeft = (phase: Phase): PhaseResult => ({ phase, remainingS: null });

/** Whether two stop times are different ones. */
export function stopTimesDiffer(oneMs: number | null, otherMs: number | null): boolean {
  return Math.abs((oneMs ?? 0) - (otherMs ?? 0)) > STOP_TIME_JITTER_MS;
}

/** Whether this phase has a number of seconds that goes down. */
export function isCounting(phase: Phase): phase is CountingPhase {
  return phase === 'calm' || phase === 'soon' || phase === 'urgent';
}

/**
 * The phase and the time left.
 *
 * @param input - the instance's auto-stop as last known
 * @param nowMs - the time by the server's clock
 */
export function evaluatePhase(input: PhaseInput, nowMs: number): PhaseResult {
  if (input.status === 'STOPPING') {
    return { phase: 'stopping', remainingS: 0 };
  }
  if (STOPPED_STATUS_PATTERN.test(input.status)) {
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

/** Milliseconds until {@link evaluatePhase} can say something else, or `null` when only news can change it. */
export function msUntilNextPhaseUpdate(input: PhaseInput, nowMs: number): number | null {
  const { phase } = evaluatePhase(input, nowMs);
  const leftMs = (input.stopsAtMs ?? 0) - nowMs;
  if (isCounting(phase)) {
    return Math.min((leftMs % 1000) + 1, leftMs);
  }
  const inGrace = phase === 'stopping' && input.status !== 'STOPPING';
  return inGrace ? leftMs + GRACE_MS + 1 : null;
}

/** Cut whole seconds into hours, minutes and, below ten minutes, seconds. */
export function splitDuration(totalS: number): DurationUnits {
  const minutes = Math.floor(totalS / 60);
  return {
    hours: Math.floor(minutes / 60),
    minutes: minutes % 60,
    seconds: totalS < URGENT_S ? totalS % 60 : null,
  };
}
