/** Formats durations, times and sentences in the language of the page. */

import { isCounting, type PhaseResult, splitDuration } from './phase';
import { type StringKey, STRINGS } from './strings';

/** Returns the text of a key in one language, with values for its placeholders. */
export type Formatter = (key: StringKey, values?: PlaceholderValues) => string;

/** Values for the placeholders of a text. */
export type PlaceholderValues = Readonly<Record<string, string | number>>;

/** Replace the placeholders of a text by values. */
export function fillPlaceholders(text: string, values: PlaceholderValues): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''));
}

const createFormatter =
  (languageIndex: 0 | 1): Formatter =>
  (key, values = {}) =>
    fillPlaceholders(STRINGS[key][languageIndex], values);

const formatEnglish = createFormatter(0);
const formatChinese = createFormatter(1);

/**
 * Return the formatter for a language.
 *
 * @param language - a tag such as `zh-CN`; empty for the language of the page, else of the browser
 */
export function formatterFor(language: string): Formatter {
  const tag = language || document.documentElement.lang || navigator.language;
  return /^zh/i.test(tag) ? formatChinese : formatEnglish;
}

/** Format a duration as `1 h 12 min`, `9 min 30 s` or `45 s`; units that are zero are omitted. */
export function formatDuration(format: Formatter, totalS: number): string {
  const { hours, minutes, seconds } = splitDuration(totalS);
  const parts = [
    hours > 0 && format('h', { n: hours }),
    minutes > 0 && format('min', { n: minutes }),
    seconds && format('s', { n: seconds }),
  ];
  return parts.filter(Boolean).join(' ') || format('s', { n: 0 });
}

/** Format the time left or, when none is counted down, the name of the phase. */
export function formatPhase(format: Formatter, { phase, remainingS }: PhaseResult): string {
  return isCounting(phase) ? formatDuration(format, remainingS ?? 0) : format(`is-${phase}`);
}

/** Format the local time as an ISO date, `2026-11-23T18:04…`. */
export function toLocalIso(ms: number): string {
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString();
}

const localDate = (ms: number): string => toLocalIso(ms).slice(0, 10);

const TWELVE_HOUR_FORMAT = { hour: 'numeric', minute: 'numeric', hour12: true } as const;

/** Format the local time of day as `18:04`, or as `6:04 pm` if the page has `data-modelarts-hour-cycle="h12"`. */
export function formatClockTime(format: Formatter, ms: number): string {
  return document.documentElement.dataset['modelartsHourCycle'] === 'h12'
    ? new Date(ms).toLocaleTimeString(format('locale'), TWELVE_HOUR_FORMAT)
    : toLocalIso(ms).slice(11, 16);
}

/** Format local date, time and offset as `2026-11-23 18:04 +08:00`. */
export function formatTimestamp(format: Formatter, ms: number): string {
  const offset = String(new Date(ms)).replace(/.*GMT(...)(..).*/, '$1:$2');
  return `${localDate(ms)} ${formatClockTime(format, ms)} ${offset}`;
}

/** Format the local time of day, with the date if it is not today. */
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

/** Format the announcement for a screen reader: “Stops at 18:04, 30 min left.” */
export function stopAnnouncement(format: Formatter, stopsAtMs: number, remainingS: number): string {
  return format('stopsIn', {
    time: formatClockTime(format, stopsAtMs),
    timeLeft: formatDuration(format, remainingS),
  });
}

/** Format seconds as an argument of a terminal command, in whole minutes: `1h`, `150m`. */
export function formatDurationArgument(seconds: number): string {
  return seconds % 3600 ? `${Math.ceil(seconds / 60)}m` : `${seconds / 3600}h`;
}
