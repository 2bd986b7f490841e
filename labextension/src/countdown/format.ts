/** What the countdown says, in the language of the page. */

import type { Feedback } from './actions';
import { splitDuration, isCounting, type PhaseResult } from './phase';
import { type StringKey, FEEDBACK, STRINGS } from './strings';

/** Says a code in one language, with values put into the places of the sentence. */
export type Formatter = (
  code: StringKey,
  values?: Readonly<Record<string, string | number>>,
) => string;

const createFormatter =
  (languageIndex: 0 | 1): Formatter =>
  (code, values = {}) =>
    STRINGS[code][languageIndex].replace(/\{(\w+)\}/g, (_, name: string) =>
      String(values[name] ?? ''),
    );

const formatEnglish = createFormatter(0);
const formatChinese = createFormatter(1);

/**
 * The words for a language tag.
 *
 * @param language - a tag such as `zh-CN`; empty: the page's, else the browser's
 */
export function formatterFor(language: string): Formatter {
  const tag = language || document.documentElement.lang || navigator.language;
  return /^zh/i.test(tag) ? formatChinese : formatEnglish;
}

/** A duration such as `1 h 12 min`, `9 min 30 s`, `45 s`; units that are zero are left out. */
export function formatDuration(format: Formatter, totalS: number): string {
  const { hours, minutes, seconds } = splitDuration(totalS);
  const minuteCode: StringKey = hours > 0 || seconds ? 'min' : 'minutesOnly';
  const parts = [
    hours > 0 && format('h', { n: hours }),
    minutes > 0 && format(minuteCode, { n: minutes }),
    seconds && format('s', { n: seconds }),
  ];
  return parts.filter(Boolean).join(' ') || format('s', { n: 0 });
}

/** The short label of a reading: the time left, else the phase in words. */
export function formatPhase(format: Formatter, { phase, remainingS }: PhaseResult): string {
  return isCounting(phase) ? formatDuration(format, remainingS ?? 0) : format(`is-${phase}`);
}

/** `2026-11-23T18:04…` on local clocks: an ISO date read as if local time were UTC. */
function toLocalIso(ms: number): string {
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString();
}

const localDate = (ms: number): string => toLocalIso(ms).slice(0, 10);

const TWELVE_HOUR_FORMAT = { hour: 'numeric', minute: 'numeric', hour12: true } as const;

/** Local time of day: `18:04`, or `6:04 pm` where the page has `data-ma-clock`, which asks for that. */
export function formatClockTime(format: Formatter, ms: number): string {
  return document.documentElement.dataset['maClock']
    ? new Date(ms).toLocaleTimeString(format('locale'), TWELVE_HOUR_FORMAT)
    : toLocalIso(ms).slice(11, 16);
}

/** Local date, time and offset, `2026-11-23 18:04 +08:00`: true on any later day. */
export function formatTimestamp(format: Formatter, ms: number): string {
  const offset = String(new Date(ms)).replace(/.*GMT(...)(..).*/, '$1:$2');
  return `${localDate(ms)} ${formatClockTime(format, ms)} ${offset}`;
}

/** `18:04`, with the date when that is not today. */
export function formatTime(format: Formatter, ms: number, nowMs: number): string {
  const time = formatClockTime(format, ms);
  if (localDate(ms) === localDate(nowMs)) {
    return time;
  }
  const dateFormat = { month: 'short', day: 'numeric' } as const;
  return format('timeOnDate', {
    date: new Date(ms).toLocaleDateString(format('locale'), dateFormat),
    time,
  });
}

/** "Stops at 18:04, in 30 min": what is announced. */
export function stopAnnouncement(format: Formatter, stopsAtMs: number, remainingS: number): string {
  return format('stopsIn', {
    time: formatClockTime(format, stopsAtMs),
    timeLeft: formatDuration(format, remainingS),
  });
}

/**
 * The sentence of a note. Codes without words, and plain failures, give the kernel's own text.
 *
 * @param nowMs - the server's time now
 * @param remainingS - seconds left now, `null` when nothing counts
 */
export function feedbackText(
  format: Formatter,
  feedback: Feedback,
  nowMs: number,
  remainingS: number | null,
): string {
  const { stopsAtMs, durationS, previousDurationS } = feedback;
  const formatSpan = (totalS: number): string => formatDuration(format, totalS);
  const hasSavedDuration = durationS !== null && previousDurationS !== null;
  const values = {
    stopTime: stopsAtMs === null ? '' : formatTime(format, stopsAtMs, nowMs),
    timeLeft:
      remainingS === null ? '' : format('timeLeftSuffix', { timeLeft: formatSpan(remainingS) }),
    savedDuration: hasSavedDuration
      ? format('savedDuration', { to: formatSpan(durationS), from: formatSpan(previousDurationS) })
      : '',
  };
  const knownKeys = feedback.codes.map(findKey).filter((code) => code && code !== 'failed');
  const sentences = knownKeys.map((code) => format(code ?? 'failed', values)).join(' ');
  // A Chinese full stop brings its own space.
  return sentences.replace(/。 /g, '。') || feedback.text || format('failed');
}

/** The sentence of a code from the wire or of a phase; no other word of ours may be meant by it. */
function findKey(code: string): StringKey | undefined {
  const hasKey = (table: object, name: string): name is StringKey => Object.hasOwn(table, name);
  const phase = `is-${code}`;
  return hasKey(FEEDBACK, code) ? code : hasKey(STRINGS, phase) ? phase : undefined;
}

/** The sentence for a reason code, else the phase of that name, else that the time is unknown. */
export function reasonText(format: Formatter, code: string): string {
  return format(findKey(code) ?? 'is-unknown');
}

/** No more digits than a calendar can be told. */
const DURATION_PATTERN =
  /^([-+]?)(?:([\d.]{1,7})(?:h|小时))?(?:(\d{1,7})(?:m|min|分钟?|$))?(?:(\d{1,7})(?:s|秒))?$/i;

/**
 * Seconds in `90m`, `2h30m`, `1.5h`, `5400s`, `2 小时 30 分`; negative after a minus; `null` when it is
 * none of these. A bare number has no unit, and `18:00` is a time of day.
 */
export function parseDuration(input: string): number | null {
  const compact = input.replace(/\s/g, '').replace('−', '-');
  const [, sign, h, m, s] = DURATION_PATTERN.exec(compact) ?? [];
  const seconds = Math.round(+(h ?? 0) * 3600) + +(m ?? 0) * 60 + +(s ?? 0);
  return seconds > 0 && /[^-+\d]/.test(compact) ? seconds * (sign === '-' ? -1 : 1) : null;
}

/** Seconds as a terminal command takes them, in whole minutes: `1h`, `150m`. */
export function formatDurationArgument(seconds: number): string {
  return seconds % 3600 ? `${Math.ceil(seconds / 60)}m` : `${seconds / 3600}h`;
}
