import { describe, expect, it } from 'vitest';
import { FallbackBackend } from '../../src/backend/fallback';
import { BackendError } from '../../src/tokens';
import { FakeBackend, instancePayload } from '../fakes';

const GET = { method: 'GET', path: 'instance' } as const;
const throwNoBackend = (): unknown => {
  throw new BackendError('no-backend', '', { status: 404 });
};

function createBackends() {
  const all = [new FakeBackend(), new FakeBackend('helper-kernel', false)] as const;
  return { all, chain: new FallbackBackend(all.map((each) => () => each)) };
}

describe('the fallback', () => {
  it('creates the first backend with the first request', async () => {
    const { all, chain } = createBackends();
    expect(chain.current).toBeNull();
    await chain.call(GET);
    await chain.call(GET);
    expect(chain.current).toBe(all[0]);
    expect(all.map(({ requests }) => requests.length)).toEqual([2, 0]);
  });

  it('uses the next backend if one is missing', async () => {
    const { all, chain } = createBackends();
    all[0].respond = throwNoBackend;
    const answers = await Promise.all([chain.call(GET), chain.call(GET), chain.call(GET)]);
    expect(answers).toEqual([instancePayload(), instancePayload(), instancePayload()]);
    expect(chain.current).toBe(all[1]);
    expect(all[0].isDisposed).toBe(true);
  });

  it('starts over after no backend was available', async () => {
    const { all, chain } = createBackends();
    all.forEach((each) => (each.respond = throwNoBackend));
    await expect(chain.call(GET)).rejects.toMatchObject({ code: 'no-backend' });
    expect(chain.current).toBeNull();
    all[0].respond = () => instancePayload();
    expect(await chain.call(GET)).toEqual(instancePayload());
  });

  it('keeps the backend if a request fails', async () => {
    const { all, chain } = createBackends();
    await chain.call(GET);
    all[0].respond = () => {
      throw new BackendError('unreachable');
    };
    await expect(chain.call(GET)).rejects.toMatchObject({ code: 'unreachable' });
    expect(chain.current).toBe(all[0]);
  });

  it('starts over if the next backend is unreachable, because the server may have been down', async () => {
    const { all, chain } = createBackends();
    all[0].respond = throwNoBackend;
    all[1].respond = () => {
      throw new BackendError('unreachable');
    };
    await expect(chain.call(GET)).rejects.toMatchObject({ code: 'unreachable' });
    all[0].respond = () => instancePayload();
    expect(await chain.call(GET)).toEqual(instancePayload());
    expect(chain.current).toBe(all[0]);
  });

  it('creates no backend after it was disposed', async () => {
    const { all, chain } = createBackends();
    await chain.call(GET);
    chain.dispose();
    chain.dispose();
    expect(all[0].isDisposed).toBe(true);
    all[0].respond = throwNoBackend;
    const late = [chain.call(GET), chain.call(GET)];
    for (const each of [...late, chain.call(GET)]) {
      await expect(each).rejects.toMatchObject({ code: 'no-backend' });
    }
    expect(all[1].requests).toEqual([]);
  });
});
