/**
 * The texts of the countdown in English and Simplified Chinese. The widget needs this table because
 * it also runs where there is no JupyterLab and no translation catalogue. The sentences about clicks
 * are in feedback.ts, which the extension loads only when they are needed.
 */

/** A text in both languages; `{placeholders}` are replaced by values. */
export type Translation = readonly [en: string, zh: string];

/** Labels, units and names of the phases. */
export const STRINGS = {
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
  left: ['left', '后停止'],
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

/** A key of the table. */
export type StringKey = keyof typeof STRINGS;
