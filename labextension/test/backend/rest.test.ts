import { ServerConnection } from '@jupyterlab/services';
import { describe, expect, it } from 'vitest';
import { RestBackend } from '../../src/backend/rest';

function restBackend(reply: () => Response | Promise<Response>, isStreamOpen = () => true) {
  const requests: Request[] = [];
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://server/user/a/',
    token: '',
    fetch: (input) => {
      requests.push(input as Request);
      return Promise.resolve(reply());
    },
  });
  return { backend: new RestBackend(settings, isStreamOpen), requests };
}

const jsonResponse = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), { status });

describe('the REST backend', () => {
  it('sends the language of the page to the server', async () => {
    const { backend, requests } = restBackend(() => jsonResponse({ server_id: 'b' }));
    document.documentElement.lang = 'zh-CN';
    expect(await backend.call({ method: 'POST', path: 'extend', body: { seconds: 1 } })).toEqual({
      server_id: 'b',
    });
    document.documentElement.lang = '';
    const [request] = requests;
    expect(request?.url).toMatch('http://server/user/a/modelarts-magics/v1/extend');
    expect(request?.headers.get('Accept-Language')).toBe('zh-CN');
    expect(await request?.json()).toEqual({ seconds: 1 });
  });

  it('asks for an event until one arrives', async () => {
    let isOpen = false;
    const { backend, requests } = restBackend(
      () => jsonResponse({ server_id: 'b' }),
      () => isOpen,
    );
    await backend.call({ method: 'GET', path: 'instance' });
    await backend.call({ method: 'GET', path: 'instance?refresh=1' });
    isOpen = true;
    await backend.call({ method: 'GET', path: 'instance' });
    expect(requests.map(({ url }) => url.replace(/.*v1.|[?&]\d{13}/g, ''))).toEqual([
      ...['instance?hello=1', 'instance?refresh=1', 'instance'],
    ]);
  });

  const html = (status: number) => () => new Response('<html>Log in</html>', { status });
  const gateway = (status: number) => () =>
    jsonResponse({ error_code: 'APIG.0101', error_msg: 'x' }, status);

  it.each<[string, () => Response | Promise<Response>]>([
    ['no-backend', () => jsonResponse({ message: 'Not Found', reason: null }, 404)],
    ...[200, 403, 404, 405, 502, 503].flatMap((status): [string, () => Response][] => [
      ['no-backend', html(status)],
      ['no-backend', gateway(status)],
    ]),
    ['no-backend', () => jsonResponse([])],
    [
      'refuse.auto_stop_off',
      () => jsonResponse({ code: 'refuse.auto_stop_off', message: 'x' }, 422),
    ],
    ['unreachable', () => Promise.reject(new TypeError('network'))],
  ])('fails with the code %s: %s', async (code, reply) => {
    const { backend } = restBackend(reply);
    await expect(backend.call({ method: 'GET', path: 'instance' })).rejects.toMatchObject({ code });
  });

  it.each([403, 502, 200])(
    'is unreachable when a proxy answers %s in its place later',
    async (status) => {
      const replies = [() => jsonResponse({ server_id: 'b' }), html(status), gateway(status)];
      const { backend } = restBackend(() => (replies.shift() ?? html(502))());
      await backend.call({ method: 'GET', path: 'instance' });
      for (let turn = 0; turn < 2; turn++) {
        await expect(backend.call({ method: 'GET', path: 'instance' })).rejects.toMatchObject({
          code: 'unreachable',
        });
      }
    },
  );
});
