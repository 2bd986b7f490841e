import { beforeEach, expect, it, vi } from 'vitest';
import { followKeepState } from '../../src/reminders/keep-notifications';
import { HOUR, NOW } from '../countdown/fakes';
import { changeResponse, flushPromises, instancePayload, ManagerHarness, trans } from '../fakes';

interface Shown {
  text: string;
  readonly actions: readonly { readonly label: string; readonly callback: () => void }[];
}

const { shown } = vi.hoisted(() => ({ shown: new Map<string, Shown>() }));

vi.mock('@jupyterlab/apputils', () => ({
  Notification: {
    emit: () => '',
    warning: (text: string, { actions }: Shown) => {
      const id = `toast-${String(shown.size)}`;
      shown.set(id, { text, actions });
      return id;
    },
    update: ({ id, message }: { id: string; message: string }) => {
      const toast = shown.get(id);
      if (toast) {
        toast.text = message;
      }
    },
    dismiss: (id: string) => shown.delete(id),
  },
}));

let harness: ManagerHarness;
let sequence = 0;

async function show(keep: object | null): Promise<readonly Shown[]> {
  await harness.refreshWith(instancePayload(HOUR, { seq: ++sequence, keep }));
  return [...shown.values()];
}

const keep = (overrides: object) => ({
  ...{ guards: [], covered_until_ms: null, stop: null, problem: '', problem_urgent: false },
  ...overrides,
});
const STOP = { name: 'train', stops_at_ms: NOW + 60_000, waiting_for: [], id: '7' };

beforeEach(() => {
  shown.clear();
  harness = new ManagerHarness();
  followKeepState(harness.manager, trans);
});

it('offers to postpone a planned stop or to cancel it, while there is one', async () => {
  const [toast] = await show(keep({ stop: STOP }));
  expect(toast?.text).toBe('After “train”, the instance stops at 16:53');
  expect(toast?.actions.map(({ label }) => label)).toEqual(['Keep 1 h', 'Do Not Stop']);
  harness.backend.respond = () => changeResponse();
  for (const { callback } of toast?.actions ?? []) {
    callback();
    await flushPromises();
  }
  expect(harness.backend.requests.flatMap(({ body }) => body ?? [])).toEqual([
    { action: 'postpone-stop', seconds: 3600 },
    { action: 'cancel-stop' },
  ]);
  expect(await show(keep({ stop: { ...STOP, stops_at_ms: null } }))).toEqual([]);
});

it('names the reason of a stop that follows no work', async () => {
  const [toast] = await show(keep({ stop: { ...STOP, name: '' } }));
  expect(toast?.text).toBe('Nothing is working, so the instance stops at 16:53');
});

it('shows an urgent problem until it is solved', async () => {
  const problem = 'The keep-alive has failed since 16:40: no response.';
  expect(await show(keep({ problem }))).toEqual([]);
  const [toast] = await show(keep({ problem, problem_urgent: true }));
  expect(toast?.text).toBe(problem);
  expect(toast?.actions).toEqual([]);
  const [other] = await show(keep({ problem: 'x'.repeat(200), problem_urgent: true }));
  expect(other?.text).toBe(`${'x'.repeat(139)}…`);
  expect(await show(null)).toEqual([]);
});

it('announces a stop because nothing works, and says why one failed', async () => {
  const [toast] = await show(keep({ stop: { ...STOP, name: '' } }));
  expect(toast?.text).toBe('Nothing is working, so the instance stops at 16:53');
  const failed = 'These credentials may not stop the instance: it stops at 18:00.';
  const [other] = await show(keep({ failed_stop: failed }));
  expect(other?.text).toBe(failed);
});

it('says why the keep-alive stopped the last run, until that is dismissed', async () => {
  const last = { ended_at_ms: NOW - HOUR, duration_s: null, saved: [], not_saved: [] };
  const runs = [
    { ...last, reason: 'idle', reason_text: 'nothing worked for 30 min' },
    { ...last, reason: 'auto-stop', reason_text: '' },
  ];
  const texts: unknown[] = [];
  for (const last_run of runs) {
    await harness.refreshWith(instancePayload(HOUR, { seq: ++sequence, last_run }));
    texts.push([...shown.values()].map(({ text }) => text));
  }
  expect(texts).toEqual([['Last run ended at 15:52 (nothing worked for 30 min).'], []]);
});
