/** The sentences about a click, or about why nothing can be changed, in both languages. */

import type { Feedback } from './actions';
import {
  fillPlaceholders,
  formatDuration,
  type Formatter,
  formatTime,
  formatTimestamp,
  type PlaceholderValues,
} from './format';
import { type StringKey, STRINGS, type Translation } from './strings';

/** The sentences. These keys are also sent as codes. */
export const FEEDBACK = {
  'kernel-busy': ['The kernel is busy; the change is queued.', '内核正忙，操作已排队。'],
  now: ['New stop time: {stopTime}.', '停止时间已改为 {stopTime}。'],
  preview: ['Will stop at {timestamp}.', '将于 {timestamp} 停止。'],
  done: ['Done.', '已完成。'],
  'next-start-extend': [
    'This run was NOT extended: it still stops at {stopTime}{timeLeft}.{savedDuration} {text}',
    '本次运行未延长，仍将于 {stopTime} 停止{timeLeft}。{savedDuration} {text}',
  ],
  'next-start-shorten': [
    'This run was NOT shortened: it still stops at {stopTime}{timeLeft}.{savedDuration}',
    '本次运行未缩短，仍将于 {stopTime} 停止{timeLeft}。{savedDuration}',
  ],
  unconfirmed: [
    'Sent, but not confirmed. Last known stop time: {stopTime}{timeLeft}.',
    '已提交，尚未确认。已知停止时间：{stopTime}{timeLeft}。',
  ],
  'at-latest': ['This is the latest possible stop time.', '已是允许的最晚停止时间。'],
  'beyond-latest': [
    'Not sent: the latest possible stop time is {stopTime}.',
    '未提交：最晚可停止于 {stopTime}。',
  ],
  'beyond-earliest': [
    'Not sent: the earliest possible stop time is {stopTime}.',
    '未提交：最早可停止于 {stopTime}。',
  ],
  'at-earliest': ['This is the earliest possible stop time.', '已是允许的最早停止时间。'],
  off: [
    'The instance runs, and is billed, until you stop it.',
    '实例将一直运行并计费，直到您停止它。',
  ],
  idle: ['There is no fixed stop time.', '没有固定的停止时间。'],
  'stop-time-passed': [
    'The stop time has passed, but the instance is still running.',
    '停止时间已过，但实例仍在运行。',
  ],
  'no-kernel': ['No kernel connected. Run the cell again.', '未连接内核，请重新运行该单元格。'],
  'no-permission': [
    'Your credentials do not permit changing auto-stop.',
    '当前凭证无权修改自动停止。',
  ],
  'not-supported': [
    'This cannot be changed while the instance is running.',
    '实例运行期间不支持此修改。',
  ],
  changed: ['The stop time has changed; nothing was sent.', '停止时间已变化，未提交修改。'],
  cancelled: ['Cancelled; nothing was changed.', '已取消，未做任何修改。'],
  'cancel-requested': [
    'Cancel requested; the change may already have been made.',
    '已请求取消，但修改可能已经执行。',
  ],
  'too-late': ['Too late to cancel.', '已无法取消。'],
  'bad-duration': [
    'Examples: 90m, 2h30m, 2:30, at 18:00.',
    '格式示例：90m、2h30m、2:30、at 18:00。',
  ],
  failed: ['The operation failed.', '操作失败。'],
} as const satisfies Record<string, Translation>;

/** A key of the table. */
export type FeedbackKey = keyof typeof FEEDBACK;

const isKeyOf = <T extends object>(table: T, name: string): name is Extract<keyof T, string> =>
  Object.hasOwn(table, name);

/** Return a sentence in the language of a formatter. */
export function formatFeedback(
  format: Formatter,
  key: FeedbackKey,
  values: PlaceholderValues = {},
): string {
  const languageIndex = format('locale') === STRINGS.locale[1] ? 1 : 0;
  return fillPlaceholders(FEEDBACK[key][languageIndex], values);
}

function formatKey(
  format: Formatter,
  key: FeedbackKey | StringKey,
  values: PlaceholderValues,
): string {
  return isKeyOf(FEEDBACK, key) ? formatFeedback(format, key, values) : format(key, values);
}

/**
 * Format the message about a click. For codes that are not in the table, and for `failed`, this is
 * the message of the kernel or server.
 *
 * @param format - the formatter of the language
 * @param feedback - the content of the message
 * @param nowMs - the server's time
 * @param remainingS - seconds left; `null` when none are counted down
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
    timestamp: stopsAtMs === null ? '' : formatTimestamp(format, stopsAtMs),
    timeLeft:
      remainingS === null ? '' : format('timeLeftSuffix', { timeLeft: formatSpan(remainingS) }),
    text: feedback.text,
    savedDuration: hasSavedDuration
      ? format('savedDuration', { to: formatSpan(durationS), from: formatSpan(previousDurationS) })
      : '',
  };
  const keys = feedback.codes.map(findKey).filter((key) => key && key !== 'failed');
  const sentences = keys.map((key) => formatKey(format, key ?? 'failed', values)).join(' ');
  // In Chinese there is no space after a full stop.
  return (
    sentences.replace(/。 /g, '。').trim() || feedback.text || formatFeedback(format, 'failed')
  );
}

/** Return the key for a code from a response, or for a phase. Other keys cannot be selected. */
function findKey(code: string): FeedbackKey | StringKey | undefined {
  const phase = `is-${code}`;
  return isKeyOf(FEEDBACK, code) ? code : isKeyOf(STRINGS, phase) ? phase : undefined;
}

/** Return the sentence for a reason code or phase; by default, that the stop time is unknown. */
export function reasonText(format: Formatter, code: string): string {
  return formatKey(format, findKey(code) ?? 'is-unknown', {});
}
