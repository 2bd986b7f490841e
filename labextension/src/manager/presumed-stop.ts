/** Decides whether the instance has stopped, when the server no longer responds. */

import { isCounting, URGENT_S } from '../countdown/phase';
import { currentPhase } from '../text/status-text';
import type { BackendError, Payload, PresumedStop } from '../tokens';

/** A stop time counts as confirmed if the server responded at most this long before it. */
const CONFIRMED_WITHIN_MS = URGENT_S * 1000;
/** After the stop time, the state is still read often for this long. */
const AFTER_STOP_MS = 120_000;

/** The contact with the server. */
interface Contact {
  /** The error of the last read; `null` when it succeeded. */
  readonly failure: BackendError | null;
  /** The server's time. */
  readonly nowMs: number;
  /** Whether this time is reliable. */
  readonly isSynced: boolean;
  /** When the server last responded. */
  readonly lastContactMs: number;
}

/** Return the stop time of a run that was counted down; `null` when there is none. */
function countedStopTime(payload: Payload | null): number | null {
  const state = payload?.snapshot?.state;
  const stopsAtMs = state?.stops_at_ms ?? null;
  if (!state || stopsAtMs === null) {
    return null;
  }
  return isCounting(currentPhase(state, stopsAtMs - 1).phase) ? stopsAtMs : null;
}

/** Return whether the stop time is at most ten minutes away, or has just passed. */
export function isNearStop(payload: Payload | null, nowMs: number): boolean {
  const leftMs = (countedStopTime(payload) ?? Infinity) - nowMs;
  return leftMs <= URGENT_S * 1000 && leftMs >= -AFTER_STOP_MS;
}

/** Return the stop that explains why the server does not respond; `null` when there is none. */
export function presumeStop(payload: Payload | null, contact: Contact): PresumedStop | null {
  const stopsAtMs = countedStopTime(payload);
  // A server that still runs explains its errors; a proxy before a stopped one does not.
  const isUnresponsive = contact.failure?.message === '';
  if (stopsAtMs === null || contact.nowMs < stopsAtMs || !isUnresponsive) {
    return null;
  }
  const isConfirmed = contact.isSynced && contact.lastContactMs >= stopsAtMs - CONFIRMED_WITHIN_MS;
  return { stopsAtMs, isConfirmed };
}

/** Return the payload with another status of the instance. */
export function withStatus(payload: Payload | null, status: string): Payload | null {
  if (!payload?.snapshot) {
    return payload;
  }
  const { snapshot, instance } = payload;
  const state = { ...snapshot.state, status };
  return {
    ...payload,
    snapshot: { ...snapshot, state },
    instance: instance && { ...instance, status },
  };
}
