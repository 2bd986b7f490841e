/** Every sentence of the countdown by code, in English and Simplified Chinese. */

/** One sentence in both languages; `{places}` are filled in. */
type Translation = readonly [en: string, zh: string];

/** Names and figures of the surface. */
const LABELS = {
  locale: ['en-GB', 'zh-CN'],
  h: ['{n} h', '{n} 小时'],
  min: ['{n} min', '{n} 分'],
  minutesOnly: ['{n} min', '{n} 分钟'],
  s: ['{n} s', '{n} 秒'],
  calm: ['running', '运行中'],
  soon: ['stops soon', '即将停止'],
  urgent: ['stops very soon', '马上停止'],
  'is-stopping': ['Stopping', '正在停止'],
  'is-stopped': ['Stopped', '已停止'],
  'is-off': ['Auto-stop is off', '自动停止已关闭'],
  'is-idle': ['Stops when idle', '空闲时停止'],
  'is-unknown': ['Stop time unknown', '停止时间未知'],
  title: ['Time left', '剩余时间'],
  demo: ['DEMO · local emulator', '演示 · 本地模拟器'],
  timeOnDate: ['{time} on {date}', '{date} {time}'],
  stopsAt: ['Stops at {time}', '将于 {time} 停止'],
  stopsIn: ['Stops at {time}, in {timeLeft}.', '将于 {time} 停止，剩 {timeLeft}。'],
  asOf: ['as of {timestamp}', '截至 {timestamp}'],
  timeLeftSuffix: [' ({timeLeft} left)', '（剩 {timeLeft}）'],
  savedDuration: [
    ' Saved for the next start: {to} (was {from}).',
    '已保存，下次启动时生效：{to}（原为 {from}）。',
  ],
  reason: ['auto-stop after {duration}', '运行满 {duration}后自动停止'],
  unsynced: ['Not checked against the server’s clock.', '未与服务器时钟核对。'],
  notConnected: ['not connected', '未连接'],
  extendButton: ['+1 h', '+1 小时'],
  shortenButton: ['−1 h', '−1 小时'],
  extendName: ['Stop 1 hour later', '推迟 1 小时停止'],
  shortenName: ['Stop 1 hour sooner', '提前 1 小时停止'],
  durationInput: ['Extend by', '延长时长'],
  extend: ['Extend', '延长'],
  copy: ['Copy', '复制'],
  cancel: ['Cancel', '取消'],
  terminal: [' To do it now, in a terminal:', '立即执行请在终端运行：'],
  noResponseYet: ['No answer yet; this click waits.', '尚无响应，本次点击在等待。'],
} as const satisfies Record<string, Translation>;

/** What is said about a click, or why there can be none. These codes come over the wire too. */
export const FEEDBACK = {
  'kernel-busy': ['The kernel is busy; this click waits.', '内核正忙，本次点击在等待。'],
  now: ['Now stops at {stopTime}.', '现将于 {stopTime} 停止。'],
  done: ['Done.', '已完成。'],
  'next-start-extend': [
    'This run was NOT extended: it still stops at {stopTime}{timeLeft}.{savedDuration}',
    '本次运行未能延长：仍将于 {stopTime} 停止{timeLeft}。{savedDuration}',
  ],
  'next-start-shorten': [
    'This run was NOT shortened: it still stops at {stopTime}{timeLeft}.{savedDuration}',
    '本次运行未能缩短：仍将于 {stopTime} 停止{timeLeft}。{savedDuration}',
  ],
  unconfirmed: [
    'Sent, but not confirmed by the cloud. Last known stop: {stopTime}{timeLeft}.',
    '已提交，云端未确认。已知将于 {stopTime} 停止{timeLeft}。',
  ],
  'at-latest': ['That is the latest stop possible.', '已是最晚停止时间。'],
  'at-earliest': ['That is the earliest stop possible.', '已是最早停止时间。'],
  off: ['Auto-stop is off; there is nothing to extend.', '自动停止已关闭，无需延长。'],
  idle: ['There is no fixed stop time.', '没有固定停止时间。'],
  'stop-time-passed': [
    'The stop time has passed, but it still runs.',
    '停止时间已过，但仍在运行。',
  ],
  'no-kernel': ['No kernel is connected. Run the cell again.', '未连接内核，请重新运行单元格。'],
  'no-permission': ['These credentials may not change auto-stop.', '当前凭证无权修改。'],
  'not-supported': ['This cannot be changed while it runs.', '运行期间无法修改。'],
  changed: ['The stop time changed meanwhile; click dropped.', '停止时间已变，本次点击作废。'],
  cancelled: ['Cancelled; nothing was changed.', '已取消，未作更改。'],
  'cancel-requested': ['Withdrawn, unless it was carried out.', '已撤回，除非正在执行。'],
  'too-late': ['Too late to cancel.', '来不及取消。'],
  'bad-duration': ['Write 90m or 2h30m.', '请写 90m 或 2h30m。'],
  failed: ['It did not work.', '操作未成功。'],
} as const satisfies Record<string, Translation>;

/** Both tables in one. */
export const STRINGS = { ...LABELS, ...FEEDBACK };

/** A code that has words. */
export type StringKey = keyof typeof STRINGS;
