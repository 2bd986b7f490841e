/** From unknown JSON to values: what is missing or of the wrong kind becomes "not known", never a guess. */

import {
  asObject,
  asNumber,
  readChangeResult,
  readSnapshot,
  asString,
  type ChangeResult,
} from '../countdown/messages';
import {
  BackendError,
  DEFAULT_PREFERENCES,
  type Capabilities,
  type Finding,
  type InstanceDetails,
  type LastRun,
  type ChangeEvent,
  type UnsavedDocument,
  type Payload,
  type Preferences,
  type Problem,
  type SaveReport,
} from '../tokens';

const asArray = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const isString = (value: unknown): value is string => typeof value === 'string';

/** The problem that is named, if one is. */
export function readProblem(value: unknown): Problem | null {
  const { code, message, hint } = asObject(value);
  return isString(code) || isString(message)
    ? { code: asString(code), message: asString(message), hint: asString(hint) }
    : null;
}

function readInstance(value: unknown): InstanceDetails | null {
  const { id, name, description, status, flavor, api, demo } = asObject(value);
  return isString(id)
    ? {
        ...{
          id,
          name: asString(name),
          description: asString(description),
          status: asString(status),
        },
        ...{ flavor: asString(flavor), api: asString(api), demo: demo === true },
        autoStop: asObject(asObject(value).auto_stop),
      }
    : null;
}

function readCapabilities(value: unknown): Capabilities | null {
  const raw = asObject(value);
  const shortestS = asNumber(raw.shortest_s);
  const longestS = asNumber(raw.longest_s);
  if (shortestS === null || longestS === null) {
    return null;
  }
  return {
    ...{
      minDurationS: shortestS,
      maxDurationS: longestS,
      canDisable: raw.off === true,
      persistsDuration: raw.kept === true,
    },
    countsFrom: raw.counts_from === 'now' ? 'now' : 'start',
  };
}

const readUnsavedDocument = (value: unknown): UnsavedDocument => {
  const { path, why } = asObject(value);
  return { path: asString(path), why: asString(why) };
};

/** What an event says. */
export function readChangeEvent(value: unknown): ChangeEvent {
  const { boot, seq } = asObject(value);
  return { serverId: asString(boot), sequence: asNumber(seq) };
}

/** What was saved and what was not. */
function readSaveReport(value: unknown): SaveReport {
  const { saved, not_saved: notSaved } = asObject(value);
  return {
    saved: asArray(saved).filter(isString),
    notSaved: asArray(notSaved).map(readUnsavedDocument),
  };
}

function readLastRun(value: unknown): LastRun | null {
  const { ended_at_ms: endedAtMs, reason, duration_s: durationS } = asObject(value);
  return typeof value === 'object' && value !== null
    ? {
        ...{
          endedAtMs: asNumber(endedAtMs),
          reason: asString(reason),
          durationS: asNumber(durationS),
        },
        ...readSaveReport(value),
      }
    : null;
}

/** What was saved before the coming stop; `null` when nothing is said of any document. */
export function readSavedThisRun(value: unknown): SaveReport | null {
  const report = readSaveReport(value);
  return report.saved.length + report.notSaved.length > 0 ? report : null;
}

/**
 * Everything a backend says of the instance.
 *
 * @throws {@link BackendError} it is not an object
 */
export function readPayload(value: unknown): Payload {
  if (typeof value !== 'object' || value === null) {
    throw new BackendError('invalid-response');
  }
  const { seq, server_now_ms: nowMs, reminders, ...rest } = asObject(value);
  return {
    snapshot: readSnapshot(value),
    serverNowMs: asNumber(nowMs),
    serverId: asString(rest.boot),
    sequence: asNumber(seq),
    instance: readInstance(rest.instance),
    capabilities: readCapabilities(rest.capabilities),
    remindersMuted: asObject(reminders).muted === true,
    problem: readProblem(rest.problem),
    readOnly: rest.read_only === true,
    lastRun: readLastRun(rest.last_run),
    savedThisRun: readSavedThisRun(rest.this_run),
  };
}

/** What became of a change that was carried out. */
export function readSuccess(value: unknown): ChangeResult {
  return { ...readChangeResult(value), ok: true };
}

/** A refusal's code in the words of the countdown. */
function toCountdownCode(code: string): string {
  const bareCode = code.replace(/^refuse\./, '');
  return bareCode === 'unknown_end' ? 'stop-time-passed' : bareCode;
}

/** Why a change was not carried out. */
export function readRefusal(error: BackendError): ChangeResult {
  const { answer } = asObject(error.details);
  if (typeof answer === 'object' && answer !== null) {
    return { ...readChangeResult(answer), ok: false };
  }
  const code = error.status === 403 ? 'no-permission' : toCountdownCode(error.code);
  const message = [error.message, error.hint].filter(Boolean).join(' ');
  return { ok: false, effect: null, code, values: {}, text: message };
}

/** The error that a backend's answer is; its own words when it has some. */
export function readError(status: number, body: unknown): BackendError {
  const problem = readProblem(body);
  const { code, message, hint } = problem ?? { code: '', message: '', hint: '' };
  // Jupyter's own "not found" has no code: our routes are not there.
  const unnamed = status === 404 ? 'no-backend' : 'failed';
  return new BackendError(code || unnamed, message, { hint, status, details: body });
}

/** What the doctor found. */
export function readFindings(value: unknown): readonly Finding[] {
  return asArray(asObject(value).findings).map((each) => {
    const { about, level, words, hint } = asObject(each);
    return {
      label: asString(about),
      level: asString(level),
      message: asString(words),
      hint: asString(hint),
    };
  });
}

const numberInRange = (value: unknown, min: number, max: number, fallback: number): number =>
  typeof value === 'number' && value >= min && value <= max ? value : fallback;

/** The settings; what is not one is as it is by default. */
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
