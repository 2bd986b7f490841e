/** What the whole page says of the instance: how its run stands now, and what does not work. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { isCounting, evaluatePhase } from '../countdown/phase';
import type { InstanceState } from '../countdown/messages';
import type { BackendError, IManager } from '../tokens';

/** The phase and the time left now. */
export function currentPhase(
  state: InstanceState,
  nowMs: number,
): ReturnType<typeof evaluatePhase> {
  const { status, enabled, mode, stops_at_ms: stopsAtMs } = state;
  return evaluatePhase({ status, enabled, mode, stopsAtMs }, nowMs);
}

/** A run that counts down to its stop. */
export interface TimeLeft {
  readonly stopsAtMs: number;
  readonly remainingMs: number;
  readonly remainingS: number;
}

/** The run's end and what is left of it; `null` when nothing counts down. */
export function timeLeft({ payload, clock }: IManager): TimeLeft | null {
  const state = payload?.snapshot?.state;
  if (typeof state?.stops_at_ms !== 'number') {
    return null;
  }
  const { stops_at_ms: stopsAtMs } = state;
  const leftMs = stopsAtMs - clock.now();
  const { phase, remainingS } = currentPhase(state, clock.now());
  return isCounting(phase) ? { stopsAtMs, remainingMs: leftMs, remainingS: remainingS ?? 0 } : null;
}

/** A change was asked for, and there was no answer: it may have been made or not. */
export function noResponseText(trans: TranslationBundle): string {
  return trans.__('The Jupyter server does not answer. What holds will show once it does.');
}

/** Why the instance cannot be read, and what to do. */
export function failureText(trans: TranslationBundle, failure: BackendError): string {
  if (failure.code === 'unreachable') {
    return trans.__('The Jupyter server does not answer. It is tried again.');
  }
  if (failure.code === 'no-backend') {
    return trans.__(
      'Neither the Jupyter server nor any of its kernels has modelarts-magics. Install it there: pip install modelarts-magics',
    );
  }
  return [failure.message || trans.__('It did not work.'), failure.hint].filter(Boolean).join(' ');
}
