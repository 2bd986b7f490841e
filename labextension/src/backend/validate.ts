/**
 * Converts JSON of unknown form into values. Fields that are missing or of another type are read
 * as unknown.
 *
 * The folder `backend/` exports the backends that send requests to the server or to a helper kernel,
 * and the functions that read their responses. It may import from `browser/`, `countdown/` and
 * `tokens`.
 */

import {
  asArray,
  asNumber,
  asObject,
  asString,
  type ChangeResult,
  readChangeResult,
  readSnapshot,
} from '../countdown/messages';
import {
  BackendError,
  type Capabilities,
  type CellRecord,
  type ChangeEvent,
  DEFAULT_PREFERENCES,
  type Finding,
  type InstanceDetails,
  type LastRun,
  type Payload,
  type Preferences,
  type Problem,
  type RestoreOffer,
  type SaveReport,
  type UndoOffer,
  type UnsavedDocument,
} from '../tokens';

const isString = (value: unknown): value is string => typeof value === 'string';

/** Read an error of the server; returns `null` when there is none. */
export function readProblem(value: unknown): Problem | null {
  const { code, message, hint } = asObject(value);
  return isString(code) || isString(message)
    ? { code: asString(code), message: asString(message), hint: asString(hint) }
    : null;
}

function readInstance(value: unknown): InstanceDetails | null {
  const { id, name, description, status, flavor, api, demo, ...rest } = asObject(value);
  const { enabled, mode, duration_s, prompt, stops_at_ms } = rest;
  return isString(id)
    ? {
        ...{
          id,
          name: asString(name),
          description: asString(description),
          status: asString(status),
        },
        ...{ flavor: asString(flavor), api: asString(api), demo: demo === true },
        autoStop: { enabled, mode, duration_s, prompt, stops_at_ms },
      }
    : null;
}

function readCapabilities(value: unknown): Capabilities | null {
  const raw = asObject(value);
  const minDurationS = asNumber(raw.min_duration_s);
  const maxDurationS = asNumber(raw.max_duration_s);
  if (minDurationS === null || maxDurationS === null) {
    return null;
  }
  return {
    ...{
      minDurationS,
      maxDurationS,
      canDisable: raw.can_disable === true,
      persistsDuration: raw.persists_duration === true,
    },
    countsFrom: raw.counts_from === 'now' ? 'now' : 'start',
  };
}

const readUnsavedDocument = (value: unknown): UnsavedDocument => {
  const { path, reason } = asObject(value);
  return { path: asString(path), reason: asString(reason) };
};

/** Read a change event. */
export function readChangeEvent(value: unknown): ChangeEvent {
  const { server_id: serverId, seq } = asObject(value);
  return { serverId: asString(serverId), sequence: asNumber(seq) };
}

/** Read which documents were saved and which were not. */
function readSaveReport(value: unknown): SaveReport {
  const { saved, not_saved: notSaved } = asObject(value);
  return {
    saved: asArray(saved).filter(isString),
    notSaved: asArray(notSaved).map(readUnsavedDocument),
  };
}

function readLastRun(value: unknown): LastRun | null {
  const { ended_at_ms: endedAtMs, reason, reason_text, duration_s: durationS } = asObject(value);
  return typeof value === 'object' && value !== null
    ? {
        ...{
          endedAtMs: asNumber(endedAtMs),
          reason: asString(reason_text) || asString(reason),
          durationS: asNumber(durationS),
        },
        ...readSaveReport(value),
      }
    : null;
}

function readUndo(value: unknown): UndoOffer | null {
  const { action, restores } = asObject(value);
  return isString(action) && isString(restores) ? { action, restores } : null;
}

function readRestore(value: unknown): RestoreOffer | null {
  const { duration_s, planned } = asObject(value);
  const durationS = asNumber(duration_s);
  return durationS === null ? null : { durationS, isPlanned: planned === true };
}

/** Read which documents were saved before the next stop; returns `null` when none are listed. */
export function readSavedThisRun(value: unknown): SaveReport | null {
  const report = readSaveReport(value);
  return report.saved.length + report.notSaved.length > 0 ? report : null;
}

/**
 * Read the state of the instance.
 *
 * @throws {@link BackendError} if the value is not an object
 */
export function readPayload(value: unknown): Payload {
  if (typeof value !== 'object' || value === null) {
    throw new BackendError('invalid-response');
  }
  const { seq, server_now_ms: nowMs, reminders, ...rest } = asObject(value);
  return {
    snapshot: readSnapshot({ state: rest.instance, as_of_ms: rest.as_of_ms }),
    serverNowMs: asNumber(nowMs),
    utcOffsetS: asNumber(rest.utc_offset_s),
    notices: asArray(rest.notices).filter(isString),
    serverId: asString(rest.server_id),
    sequence: asNumber(seq),
    instance: readInstance(rest.instance),
    capabilities: readCapabilities(rest.capabilities),
    remindersMuted: asObject(reminders).muted === true,
    problem: readProblem(rest.problem),
    readOnly: rest.read_only === true,
    undo: readUndo(rest.undo),
    undoRefusal: asString(asObject(rest.undo).refusal),
    restore: readRestore(rest.restore),
    consoleUrl: asString(rest.console_url),
    keep: rest.keep,
    lastRun: readLastRun(rest.last_run),
    savedThisRun: readSavedThisRun(rest.this_run),
  };
}

/** Read the result of a change that was carried out. */
export function readSuccess(value: unknown): ChangeResult {
  return { ...readChangeResult(value), ok: true };
}

/** Return the result of a change that failed. Its text is the message of the server. */
export function readRefusal({ code, message, hint }: BackendError): ChangeResult {
  const text = [message, hint].filter(Boolean).join(' ');
  return { ok: false, effect: null, code, values: {}, text };
}

/** Read an error response, with the server's own message if it has one. */
export function readError(status: number, body: unknown): BackendError {
  const problem = readProblem(body);
  const { code, message, hint } = problem ?? { code: '', message: '', hint: '' };
  return new BackendError(code || 'failed', message, { hint, status, details: body });
}

/** Read the findings of the doctor. */
export function readFindings(value: unknown): readonly Finding[] {
  return asArray(asObject(value).findings).map((each) => {
    const { label, level, message, hint } = asObject(each);
    return {
      label: asString(label),
      level: asString(level),
      message: asString(message),
      hint: asString(hint),
    };
  });
}

/** Read the list of records. */
export function readRecords(value: unknown): readonly CellRecord[] {
  return asArray(asObject(value).records).map((each) => {
    const { id, name, cell_id: cellId, lines, shown_length: shownLength } = asObject(each);
    return {
      id: asString(id),
      name: asString(name),
      cellId: asString(cellId),
      lines: asNumber(lines) ?? 0,
      shownLength: asNumber(shownLength) ?? 0,
    };
  });
}

const numberInRange = (value: unknown, min: number, max: number, fallback: number): number =>
  typeof value === 'number' && value >= min && value <= max ? value : fallback;

/** Read the settings. Invalid values are replaced by the defaults. */
export function readPreferences(value: unknown): Preferences {
  const raw = asObject(value);
  const minutes = asArray(raw.remindMinutes).filter(
    (each): each is number => typeof each === 'number' && each > 0,
  );
  const statusShows = (['time-left', 'stop-time', 'both'] as const).find(
    (each) => each === raw.statusShows,
  );
  return {
    remindMinutes: Array.isArray(raw.remindMinutes) ? minutes : DEFAULT_PREFERENCES.remindMinutes,
    extensionS:
      numberInRange(raw.extensionMinutes, 1, 4320, DEFAULT_PREFERENCES.extensionS / 60) * 60,
    statusShows: statusShows ?? DEFAULT_PREFERENCES.statusShows,
    use24HourClock: raw.clock24 !== false,
    showDetails: raw.showDetails !== false,
    saveBeforeStop: raw.saveBeforeStop !== false,
    saveMinutes: numberInRange(raw.saveMinutes, 1, 60, DEFAULT_PREFERENCES.saveMinutes),
  };
}
