/**
 * The texts of the countdown in English and Simplified Chinese. The widget needs this table because
 * it also runs where there is no JupyterLab and no translation catalogue.
 */

/** A text in both languages; `{placeholders}` are replaced by values. */
type Translation = readonly [en: string, zh: string];

/** Labels, units and names of the phases. */
const LABELS = {
  locale: ['en-GB', 'zh-CN'],
  h: ['{n} h', '{n} 小时'],
  min: ['{n} min', '{n} 分钟'],
  s: ['{n} s', '{n} 秒'],
  calm: ['running', '运行中'],
  soon: ['stops soon', '即将停止'],
  urgent: ['about to stop', '马上就要停止'],
  'is-stopping': ['Stopping', '停止中'],
  'is-stopped': ['Stopped', '已停止'],
  'is-off': ['Auto-stop is off', '自动停止已关闭'],
  'is-idle': ['Stops when idle', '空闲停止'],
  'is-unknown': ['Stop time unknown', '停止时间未知'],
  title: ['Time left', '剩余时间'],
  demo: ['DEMO · local emulator', '演示 · 本地模拟器'],
  timeOnDate: ['{time} on {date}', '{date} {time}'],
  stopsAt: ['Stops at {time}', '将于 {time} 停止'],
  stopsIn: ['Stops at {time}, {timeLeft} left.', '将于 {time} 停止，剩余 {timeLeft}。'],
  asOf: ['as of {timestamp}', '截至 {timestamp}'],
  timeLeftSuffix: [' ({timeLeft} left)', '（剩余 {timeLeft}）'],
  savedDuration: [
    ' Saved for the next start: {to} (was {from}).',
    '已保存，下次启动时生效：{to}（原值：{from}）。',
  ],
  reason: ['auto-stop after {duration}', '运行满 {duration}后自动停止'],
  unsynced: ['Not synchronized with the server clock.', '尚未与服务器时间同步。'],
  notConnected: ['not connected', '未连接'],
  extendButton: ['+1 h', '+1 小时'],
  shortenButton: ['−1 h', '−1 小时'],
  extendName: ['Extend by 1 hour', '延长 1 小时'],
  shortenName: ['Shorten by 1 hour', '缩短 1 小时'],
  durationInput: ['Duration', '时长'],
  extend: ['Extend', '延长'],
  copy: ['Copy', '复制'],
  cancel: ['Cancel', '取消'],
  terminal: [' To do it now, run in a terminal:', '如需立即执行，请在终端运行：'],
  noResponseYet: ['No response yet; the change is waiting.', '暂无响应，操作仍在等待。'],
} as const satisfies Record<string, Translation>;

/** Sentences about a click, or about why nothing can be changed. These keys are also sent as codes. */
export const FEEDBACK = {
  'kernel-busy': ['The kernel is busy; the change is queued.', '内核正忙，操作已排队。'],
  now: ['New stop time: {stopTime}.', '停止时间已改为 {stopTime}。'],
  done: ['Done.', '已完成。'],
  'next-start-extend': [
    'This run was NOT extended: it still stops at {stopTime}{timeLeft}.{savedDuration}',
    '本次运行未延长，仍将于 {stopTime} 停止{timeLeft}。{savedDuration}',
  ],
  'next-start-shorten': [
    'This run was NOT shortened: it still stops at {stopTime}{timeLeft}.{savedDuration}',
    '本次运行未缩短，仍将于 {stopTime} 停止{timeLeft}。{savedDuration}',
  ],
  unconfirmed: [
    'Sent, but ModelArts has not confirmed it. Last known stop time: {stopTime}{timeLeft}.',
    '已提交，ModelArts 尚未确认。已知停止时间：{stopTime}{timeLeft}。',
  ],
  'at-latest': ['This is already the latest possible stop time.', '已是允许的最晚停止时间。'],
  'beyond-latest': [
    'Not sent: the latest possible stop time is {stopTime}.',
    '未提交：最晚可停止于 {stopTime}。',
  ],
  'beyond-earliest': [
    'Not sent: the earliest possible stop time is {stopTime}.',
    '未提交：最早可停止于 {stopTime}。',
  ],
  'at-earliest': ['This is already the earliest possible stop time.', '已是允许的最早停止时间。'],
  off: [
    'Auto-stop is off; there is no stop time to change.',
    '自动停止已关闭，没有可调整的停止时间。',
  ],
  idle: ['Stops when idle; there is no fixed stop time.', '当前为空闲停止，没有固定的停止时间。'],
  'stop-time-passed': [
    'The stop time has passed, but the instance is still running.',
    '停止时间已过，但实例仍在运行。',
  ],
  'stop-time-unknown': ['The stop time is unknown.', '停止时间未知。'],
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

/** All texts. */
export const STRINGS = { ...LABELS, ...FEEDBACK };

/** A key of the table. */
export type StringKey = keyof typeof STRINGS;
