/**
 * Parses what a person enters to say when the instance stops, as `domain/time_input.py` does: both are
 * tested with the cases in `tests/contract/time_input.json`.
 */

import { toLocalIso } from './format';

/** A parsed time: a duration in seconds, one from now, or the moment of a clock time. */
export type TimeInput =
  | { readonly kind: 'duration' | 'in'; readonly seconds: number }
  | { readonly kind: 'at'; readonly ms: number };

/** The part of a change of auto-stop that says when the instance stops: at most one property. */
export interface AutoStopTime {
  /** The run time in seconds, counted from where the API counts. */
  readonly duration_s?: number;
  /** The time left in seconds, from when the server carries it out. */
  readonly within_s?: number;
  /** The stop time. */
  readonly until_ms?: number;
}

const PART =
  '(\\d{1,9}(?:\\.\\d{1,9})?)(d|days?|天|h|hrs?|hours?|个?小时|时|m|mins?|minutes?|分钟?|s|secs?|seconds?|秒)';
const ALL_PARTS = new RegExp(`^(?:${PART})+$`, 'i');
/** Hours from 10 to 23 before a colon more often mean a time of day. */
const WITH_COLON = /^(?!1\d:|2[0-3]:)(\d{1,3}):([0-5]\d)(?::([0-5]\d))?$/;
const CLOCK_TIME =
  /^(?:(?<day>today|tomorrow|今天|明天|(?<date>\d{4}-\d\d?-\d\d?)(?=[ t]))[ t]?\s*)?(?<hour>\d\d?):(?<minute>\d\d)(?::(?<second>\d\d))?\s*(?<zone>z|[+-]\d\d:?\d\d)?$/i;
const AT = /^at\b\s*(.+)|^((?:today|tomorrow|今天|明天|\d{4}-\d).*)/i;
const IN = /^in\b\s*(.+)|^(.+?)\s*(?:from now|后)$/i;
const DAY_MS = 86_400_000;
/** Longer durations cannot be added to any date. */
const MAX_SECONDS = 10 ** 9;

/**
 * Parse `2h30m`, `2:30`, `3 hours`, `3小时`, `in 90m`, `at 18:00`, `tomorrow 09:00` or `明天09:00`.
 *
 * @param input - the text as entered
 * @param nowMs - the server's time, from which a time without a day is the next one
 * @returns `null` if the input is invalid, such as a number without a unit
 */
export function parseTimeInput(input: string, nowMs: number): TimeInput | null {
  const text = input.replaceAll('：', ':').trim();
  const clockTime = findGroup(AT, text);
  if (clockTime) {
    const ms = parseClockTime(clockTime.trim(), nowMs);
    return ms ? { kind: 'at', ms } : null;
  }
  const fromNow = findGroup(IN, text);
  const seconds = parseSeconds(fromNow ?? text);
  return seconds ? { kind: fromNow ? 'in' : 'duration', seconds } : null;
}

/**
 * Parse how far to move the stop time: by `1h` or `-30m`, or to `in 90m` or `at 18:00`.
 *
 * @param input - the text as entered
 * @param nowMs - the server's time
 * @param stopsAtMs - the stop time; `null` when there is none
 * @returns seconds, negative for an earlier stop; `null` if the input is invalid or moves nothing
 */
export function parseStopTimeShift(
  input: string,
  nowMs: number,
  stopsAtMs: number | null,
): number | null {
  const trimmed = input.trim();
  const text = trimmed.replace(/^[-+−]/, '');
  const entered = parseTimeInput(text, nowMs);
  if (entered === null) {
    return null;
  }
  if (entered.kind === 'duration') {
    return /^[-−]/.test(trimmed) ? -entered.seconds : entered.seconds;
  }
  const targetMs = text === trimmed ? requestedStopTime(entered, nowMs, null) : null;
  return targetMs && stopsAtMs && (Math.round((targetMs - stopsAtMs) / 1000) || null);
}

/**
 * Return the stop time that a parsed time requests; `null` if it is not known.
 *
 * @param entered - the parsed time
 * @param nowMs - the server's time
 * @param startMs - when a duration begins to count; `null` if it is not known
 */
export function requestedStopTime(
  entered: TimeInput,
  nowMs: number,
  startMs: number | null,
): number | null {
  if (entered.kind === 'at') {
    return entered.ms;
  }
  const fromMs = entered.kind === 'in' ? nowMs : startMs;
  return fromMs === null ? null : fromMs + entered.seconds * 1000;
}

/** Return the change of auto-stop that a parsed time requests. */
export function autoStopEditFor(entered: TimeInput): AutoStopTime {
  if (entered.kind === 'at') {
    return { until_ms: entered.ms };
  }
  return entered.kind === 'in' ? { within_s: entered.seconds } : { duration_s: entered.seconds };
}

/** Return what one of the groups of a pattern matched; `undefined` if none did. */
function findGroup(pattern: RegExp, text: string): string | undefined {
  return pattern.exec(text)?.slice(1).find(Boolean);
}

/** Parse a duration; `null` if it is invalid, zero or not in whole seconds. */
function parseSeconds(text: string): number | null {
  const compact = text.replace(/\s/g, '');
  const [, h, m, s] = WITH_COLON.exec(compact) ?? [];
  const seconds = h ? +h * 3600 + +(m ?? 0) * 60 + +(s ?? 0) : sumOfParts(compact);
  return Number.isInteger(seconds) && seconds > 0 && seconds < MAX_SECONDS ? seconds : null;
}

function sumOfParts(text: string): number {
  if (!ALL_PARTS.test(text)) {
    return NaN;
  }
  const units: number[] = [];
  let sum = 0;
  for (const [, n = '', unit = ''] of text.matchAll(new RegExp(PART, 'gi'))) {
    const seconds = unitSeconds(unit);
    // `1h 2h` is two durations rather than their sum.
    sum += units.includes(seconds) ? NaN : +n * seconds;
    units.push(seconds);
  }
  // A sum of decimal fractions may differ from a whole number in the last digits.
  return Math.round(sum * 1e6) / 1e6;
}

function unitSeconds(unit: string): number {
  const first = unit.charAt(0).toLowerCase();
  return /[d天]/.test(first)
    ? 86_400
    : /[h个小时]/.test(first)
      ? 3600
      : /[m分]/.test(first)
        ? 60
        : 1;
}

/** Parse a clock time in the time zone of the page; `null` if it is invalid or does not exist. */
function parseClockTime(text: string, nowMs: number): number | null {
  const groups = CLOCK_TIME.exec(text)?.groups as Record<string, string | undefined> | undefined;
  return groups ? findMoment(groups, nowMs) : null;
}

function findMoment(groups: Record<string, string | undefined>, nowMs: number): number | null {
  const read = (name: string, fallback = ''): string => groups[name] ?? fallback;
  const zone = read('zone')
    .toUpperCase()
    .replace(/(\d\d)(\d\d)$/, '$1:$2');
  const offsetMs = zone ? -Date.parse(`1970-01-01T00:00${zone}`) : 0;
  if (Number.isNaN(offsetMs)) {
    return null;
  }
  const toIso = (ms: number): string =>
    zone ? new Date(ms + offsetMs).toISOString() : toLocalIso(ms);
  const momentOn = (dayMs: number): number | null => {
    const [year, month, date] = (read('date') || toIso(dayMs).slice(0, 10)).split('-').map(pad);
    const time = `${pad(read('hour'))}:${read('minute')}:${read('second', '00')}`;
    const written = `${year ?? ''}-${month ?? ''}-${date ?? ''}T${time}`;
    const ms = Date.parse(written + zone);
    // A date such as 30 February and a time that a clock change skips become another time.
    return ms > 0 && toIso(ms).startsWith(written) ? ms : null;
  };
  const moment = momentOn(/tomorrow|明天/i.test(read('day')) ? nowMs + DAY_MS : nowMs);
  const hasPassed = moment !== null && moment <= nowMs;
  return hasPassed && !read('day') ? momentOn(nowMs + DAY_MS) : moment;
}

const pad = (digits: string): string => digits.padStart(2, '0');
