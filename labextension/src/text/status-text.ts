/**
 * The time left, and sentences about failed requests.
 *
 * The folder `text/` exports the sentences that several parts of the page show. They are translated
 * with JupyterLab's catalogue, those about the stop time with the countdown's table. It may import
 * from `countdown/` and `tokens`.
 */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { ChangeResult, InstanceState } from '../countdown/messages';
import { evaluatePhase, isCounting, type PhaseResult } from '../countdown/phase';
import type { BackendError, IManager } from '../tokens';

/** Return the phase and the time left. */
export function currentPhase(state: InstanceState, nowMs: number): PhaseResult {
  const { status, enabled, mode, stops_at_ms: stopsAtMs } = state;
  return evaluatePhase({ status, enabled, mode, stopsAtMs }, nowMs);
}

/** Return whether the shown state may be out of date, so that it is shown with its time. */
export function isOutdated({ payload, failure, isLive }: IManager): boolean {
  // The server may respond while it cannot read the instance.
  const isOld = payload !== null && (payload.readOnly || payload.problem !== null);
  return isOld || failure !== null || !isLive;
}

/** The stop time and the time left of a run that is counted down. */
export interface TimeLeft {
  /** The stop time in milliseconds since 1970. */
  readonly stopsAtMs: number;
  /** The time left in milliseconds. */
  readonly remainingMs: number;
  /** The time left in whole seconds. */
  readonly remainingS: number;
}

/**
 * Return the stop time and the time left; `null` when no time is counted down.
 *
 * @param manager - provides the state
 * @param nowMs - the time from which the time left counts; by default the server's time
 */
export function timeLeft(
  { payload, clock }: IManager,
  nowMs: number = clock.now(),
): TimeLeft | null {
  const state = payload?.snapshot?.state;
  if (typeof state?.stops_at_ms !== 'number') {
    return null;
  }
  const { stops_at_ms: stopsAtMs } = state;
  const { phase, remainingS } = currentPhase(state, nowMs);
  return isCounting(phase)
    ? { stopsAtMs, remainingMs: stopsAtMs - nowMs, remainingS: remainingS ?? 0 }
    : null;
}

/** Return the sentence for a change without a response, which may have been made or not. */
export function noResponseText(trans: TranslationBundle): string {
  return trans.__(
    'The Jupyter server is not responding. The current state will be shown once it responds.',
  );
}

/** Return the sentence about a setting that may keep a run that was not extended; empty if there is none. */
export function keepRunningText(trans: TranslationBundle, { values }: ChangeResult): string {
  const texts = {
    off: trans.__(
      'Turning auto-stop off may keep this run: it then runs, and is billed, until you stop it.',
    ),
    idle: trans.__('Changing auto-stop to stop when idle may keep this run.'),
  };
  return values.keeps_running ? texts[values.keeps_running] : '';
}

/** Return the sentence for a failed request: the server's own message and hint, if there are any. */
export function failureText(trans: TranslationBundle, failure: BackendError): string {
  if (failure.code === 'unreachable') {
    return trans.__('The Jupyter server is not responding. Retrying…');
  }
  if (failure.code === 'no-backend') {
    return trans.__(
      'modelarts-magics is not installed in the Jupyter server or in any of its kernels. Install it in one of them, then reload the page.',
    );
  }
  if (failure.code === 'no-answer') {
    return trans.__(
      'The helper kernel is not responding. If cells do not run either, a proxy may refuse WebSocket connections.',
    );
  }
  return [failure.message || trans.__('The operation failed.'), failure.hint]
    .filter(Boolean)
    .join(' ');
}
