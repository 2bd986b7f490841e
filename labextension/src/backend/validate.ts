/** From unknown JSON to values: what is missing or of the wrong kind becomes "not known", never a guess. */

import { fields, number, readAnswer, readSnapshot, text, type Answer } from '../countdown/messages';
import {
  BackendError,
  DEFAULTS,
  type Capabilities,
  type Finding,
  type InstanceFacts,
  type LastRun,
  type News,
  type NotSaved,
  type Payload,
  type Preferences,
  type Problem,
  type SavedReport,
} from '../tokens';

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const isText = (value: unknown): value is string => typeof value === 'string';

/** The problem that is named, if one is. */
export function readProblem(value: unknown): Problem | null {
  const { code, message, hint } = fields(value);
  return isText(code) || isText(message)
    ? { code: text(code), message: text(message), hint: text(hint) }
    : null;
}

function readInstance(value: unknown): InstanceFacts | null {
  const { id, name, description, status, flavor, api, demo } = fields(value);
  return isText(id)
    ? {
        ...{ id, name: text(name), description: text(description), status: text(status) },
        ...{ flavor: text(flavor), api: text(api), demo: demo === true },
        autoStop: fields(fields(value).auto_stop),
      }
    : null;
}

function readCapabilities(value: unknown): Capabilities | null {
  const able = fields(value);
  const shortestS = number(able.shortest_s);
  const longestS = number(able.longest_s);
  if (shortestS === null || longestS === null) {
    return null;
  }
  return {
    ...{ shortestS, longestS, off: able.off === true, kept: able.kept === true },
    countsFrom: able.counts_from === 'now' ? 'now' : 'start',
  };
}

const readNotSaved = (value: unknown): NotSaved => {
  const { path, why } = fields(value);
  return { path: text(path), why: text(why) };
};

/** What an event says. */
export function readNews(value: unknown): News {
  const { boot, seq } = fields(value);
  return { boot: text(boot), seq: number(seq) };
}

/** What was saved and what was not. */
function readSaved(value: unknown): SavedReport {
  const { saved, not_saved: notSaved } = fields(value);
  return {
    saved: list(saved).filter(isText),
    notSaved: list(notSaved).map(readNotSaved),
  };
}

function readLastRun(value: unknown): LastRun | null {
  const { ended_at_ms: endedAtMs, reason, duration_s: durationS } = fields(value);
  return typeof value === 'object' && value !== null
    ? {
        ...{ endedAtMs: number(endedAtMs), reason: text(reason), durationS: number(durationS) },
        ...readSaved(value),
      }
    : null;
}

/** What was saved before the coming stop; `null` when nothing is said of any document. */
export function readThisRun(value: unknown): SavedReport | null {
  const report = readSaved(value);
  return report.saved.length + report.notSaved.length > 0 ? report : null;
}

/**
 * Everything a backend says of the instance.
 *
 * @throws {@link BackendError} it is not an object
 */
export function readPayload(value: unknown): Payload {
  if (typeof value !== 'object' || value === null) {
    throw new BackendError('bad-answer');
  }
  const { seq, server_now_ms: nowMs, reminders, ...rest } = fields(value);
  return {
    snapshot: readSnapshot(value),
    serverNowMs: number(nowMs),
    boot: text(rest.boot),
    seq: number(seq),
    instance: readInstance(rest.instance),
    capabilities: readCapabilities(rest.capabilities),
    muted: fields(reminders).muted === true,
    problem: readProblem(rest.problem),
    readOnly: rest.read_only === true,
    lastRun: readLastRun(rest.last_run),
    thisRun: readThisRun(rest.this_run),
  };
}

/** What became of a change that was carried out. */
export function readChange(value: unknown): Answer {
  return { ...readAnswer(value), ok: true };
}

/** A refusal's code in the words of the countdown. */
function pageCode(code: string): string {
  const bare = code.replace(/^refuse\./, '');
  return bare === 'unknown_end' ? 'past-end' : bare;
}

/** Why a change was not carried out. */
export function readRefusal(error: BackendError): Answer {
  const { answer } = fields(error.details);
  if (typeof answer === 'object' && answer !== null) {
    return { ...readAnswer(answer), ok: false };
  }
  const code = error.status === 403 ? 'no-permission' : pageCode(error.code);
  const said = [error.message, error.hint].filter(Boolean).join(' ');
  return { ok: false, effect: null, code, values: {}, text: said };
}

/** The error that a backend's answer is; its own words when it has some. */
export function readError(status: number, body: unknown): BackendError {
  const problem = readProblem(body);
  const { code, message, hint } = problem ?? { code: '', message: '', hint: '' };
  // Jupyter's own "not found" has no code: our routes are not there.
  const unnamed = status === 404 ? 'absent' : 'failed';
  return new BackendError(code || unnamed, message, { hint, status, details: body });
}

/** What the doctor found. */
export function readFindings(value: unknown): readonly Finding[] {
  return list(fields(value).findings).map((each) => {
    const { about, level, words, hint } = fields(each);
    return { about: text(about), level: text(level), words: text(words), hint: text(hint) };
  });
}

const inRange = (value: unknown, least: number, most: number, otherwise: number): number =>
  typeof value === 'number' && value >= least && value <= most ? value : otherwise;

/** The settings; what is not one is as it is by default. */
export function readPreferences(value: unknown): Preferences {
  const set = fields(value);
  const minutes = list(set.remindMinutes).filter(
    (each): each is number => typeof each === 'number' && each > 0,
  );
  const shows = (['time-left', 'stop-time', 'both'] as const).find(
    (each) => each === set.statusShows,
  );
  return {
    remindMinutes: Array.isArray(set.remindMinutes) ? minutes : DEFAULTS.remindMinutes,
    extensionS: inRange(set.extensionMinutes, 1, 4320, DEFAULTS.extensionS / 60) * 60,
    statusShows: shows ?? DEFAULTS.statusShows,
    clock24: set.clock24 !== false,
    showDetails: set.showDetails !== false,
    saveBeforeStop: set.saveBeforeStop !== false,
    saveMinutes: inRange(set.saveMinutes, 1, 60, DEFAULTS.saveMinutes),
  };
}
