import { afterEach, describe, expect, it, vi } from 'vitest';

import type { Feedback } from '../../src/countdown/actions';
import {
  formatClockTime,
  formatDuration,
  formatDurationArgument,
  formatterFor,
  formatTime,
  formatTimestamp,
  stopAnnouncement,
} from '../../src/countdown/format';
import {
  FEEDBACK,
  type FeedbackKey,
  feedbackText,
  formatFeedback,
  reasonText,
} from '../../src/countdown/feedback';
import { STRINGS } from '../../src/countdown/strings';
import { HOUR, MINUTE, NOW } from './fakes';

const en = formatterFor('en');
const zh = formatterFor('zh-CN');
const STOP = NOW + 72 * MINUTE;
const note = (codes: string[], more: Partial<Feedback> = {}): Feedback => ({
  tone: 'info',
  codes,
  stopsAtMs: STOP,
  durationS: null,
  previousDurationS: null,
  text: '',
  ...more,
});

describe('every key', () => {
  const places = (sentence: string) => [...sentence.matchAll(/\{\w+\}/g)].map(String).sort();

  it.each(Object.entries({ ...STRINGS, ...FEEDBACK }))(
    '%s is written in both languages',
    (code, [english, chinese]) => {
      expect(english).not.toBe('');
      expect(chinese).not.toBe('');
      expect(places(chinese)).toEqual(places(english));
      expect(english).not.toMatch(/[\u4e00-\u9fff]/);
      if (code !== 'locale' && code !== 'timeOnDate') {
        expect(chinese).toMatch(/[\u4e00-\u9fff]/);
      }
    },
  );

  it.each(Object.keys(FEEDBACK) as FeedbackKey[])(
    '%s has no placeholder without a value',
    (code) => {
      for (const words of [en, zh]) {
        const saved = { durationS: 7200, previousDurationS: 3600 };
        expect(feedbackText(words, note([code], saved), NOW, 120)).not.toMatch(
          /[{}]|undefined|NaN/,
        );
        expect(formatFeedback(words, code)).not.toMatch(/[{}]|undefined/);
      }
    },
  );
});

describe('the language', () => {
  afterEach(() => {
    document.documentElement.lang = '';
    vi.restoreAllMocks();
  });

  it.each(['zh', 'zh-CN', 'zh_CN', 'ZH-hans'])('%s is Chinese', (tag) => {
    expect(formatterFor(tag)('locale')).toBe('zh-CN');
  });

  it.each(['en', 'de-DE', 'x'])('%s is English', (tag) => {
    expect(formatterFor(tag)('locale')).toBe('en-GB');
  });

  it('is that of the page by default', () => {
    document.documentElement.lang = 'zh-CN';
    expect(formatterFor('')('locale')).toBe('zh-CN');
  });

  it('is that of the browser without one of the page', () => {
    vi.spyOn(navigator, 'language', 'get').mockReturnValue('zh-SG');
    expect(formatterFor('')('locale')).toBe('zh-CN');
  });
});

describe('sentences', () => {
  it('announce stop time and time left', () => {
    expect(stopAnnouncement(en, STOP, 4320)).toBe('Stops at 18:04, 1 h 12 min left.');
    expect(stopAnnouncement(zh, STOP, 4320)).toBe('将于 18:04 停止，剩余 1 小时 12 分钟。');
  });

  it('begin with the unchanged run', () => {
    const saved = note(['next-start-extend'], { durationS: 7200, previousDurationS: 3600 });
    expect(feedbackText(en, saved, NOW, 120)).toBe(
      'This run was NOT extended: it still stops at 18:04 (2 min left). Saved for the next start: 2 h (was 1 h).',
    );
    expect(feedbackText(zh, saved, NOW, 120)).toBe(
      '本次运行未延长，仍将于 18:04 停止（剩余 2 分钟）。已保存，下次启动时生效：2 小时（原值：1 小时）。',
    );
  });

  it('omit the run time if one value is missing', () => {
    expect(feedbackText(en, note(['next-start-extend'], { durationS: 7200 }), NOW, 120)).toBe(
      'This run was NOT extended: it still stops at 18:04 (2 min left).',
    );
  });

  it('state why there is no stop time to change', () => {
    expect(reasonText(zh, 'off')).toBe('实例将一直运行并计费，直到您停止它。');
  });

  it('are joined', () => {
    expect(feedbackText(en, note(['at-latest', 'now']), NOW, null)).toBe(
      'This is the latest possible stop time. New stop time: 18:04.',
    );
    expect(feedbackText(zh, note(['at-latest', 'now']), NOW, null)).toBe(
      '已是允许的最晚停止时间。停止时间已改为 18:04。',
    );
  });

  it('are those of the kernel for other codes', () => {
    expect(feedbackText(en, note(['teapot'], { text: 'I am a teapot.' }), NOW, null)).toBe(
      'I am a teapot.',
    );
    expect(feedbackText(en, note(['failed'], { text: 'It broke.' }), NOW, null)).toBe('It broke.');
    expect(feedbackText(en, note(['teapot']), NOW, null)).toBe(formatFeedback(en, 'failed'));
    expect(reasonText(en, 'teapot')).toBe(en('is-unknown'));
    for (const code of ['toString', 'extendButton', 'timeLeftSuffix', 's']) {
      expect(feedbackText(en, note([code], { text: 'Own.' }), NOW, null)).toBe('Own.');
    }
    expect(feedbackText(en, note(['stopping']), NOW, null)).toBe('Stopping');
  });
});

describe('times', () => {
  const zones = ['UTC', 'America/St_Johns', 'Asia/Kathmandu', 'Asia/Shanghai'];
  afterEach(() => {
    process.env.TZ = 'Asia/Shanghai';
  });

  it.each([
    [zones[0], '10:04', '2026-11-23 10:04 +00:00'],
    [zones[1], '06:34', '2026-11-23 06:34 -03:30'],
    [zones[2], '15:49', '2026-11-23 15:49 +05:45'],
    [zones[3], '18:04', '2026-11-23 18:04 +08:00'],
  ])('are local in %s', (zone, time, dated) => {
    process.env.TZ = zone;
    expect(formatClockTime(en, STOP)).toBe(time);
    expect(formatTimestamp(en, STOP)).toBe(dated);
  });

  it('use a 12-hour clock if set', () => {
    document.documentElement.dataset.modelartsHourCycle = 'h12';
    expect([formatClockTime(en, STOP), formatClockTime(zh, STOP)]).toEqual(['6:04 pm', '下午6:04']);
    expect(formatTimestamp(en, STOP)).toBe('2026-11-23 6:04 pm +08:00');
    expect(formatTime(en, NOW + 16 * HOUR, NOW)).toBe('8:52 am on 24 Nov');
    document.documentElement.dataset.modelartsHourCycle = '';
  });

  it('have a date if they are not today', () => {
    expect(formatTime(en, NOW + 16 * HOUR, NOW)).toBe('08:52 on 24 Nov');
    expect(formatTime(zh, NOW + 16 * HOUR, NOW)).toBe('11月24日 08:52');
    expect(formatTime(en, STOP, NOW)).toBe('18:04');
  });

  it('are formatted as durations', () => {
    expect(formatDuration(en, 4320)).toBe('1 h 12 min');
    expect(formatDuration(zh, 570)).toBe('9 分钟 30 秒');
  });
});

describe('a duration', () => {
  it('is formatted for a terminal', () => {
    expect([3600, 7200, 5400, 1800, 3661].map(formatDurationArgument)).toEqual([
      '1h',
      '2h',
      '90m',
      '30m',
      '62m',
    ]);
  });
});
