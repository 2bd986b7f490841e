/** The backend that is our routes in the Jupyter server. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { BackendError, type BackendRequest, type IBackend } from '../tokens';
import { readError } from './validate';

const BASE_PATH = 'modelarts-magics/v1';

/** Asks our routes; the connection takes care of token and XSRF. */
export class RestBackend implements IBackend {
  readonly kind = 'server-extension';
  readonly pushesEvents = true;
  readonly #serverSettings: ServerConnection.ISettings;

  constructor(settings: ServerConnection.ISettings) {
    this.#serverSettings = settings;
  }

  /** It holds nothing. */
  dispose(): void {
    // The connection is Jupyter's.
  }

  /** Ask a route. */
  async call({ method, path, body }: BackendRequest): Promise<unknown> {
    const url = URLExt.join(this.#serverSettings.baseUrl, BASE_PATH, path);
    const response = await this.#send(url, {
      method,
      headers: { 'Accept-Language': document.documentElement.lang || 'en' },
      ...(body && { body: JSON.stringify(body) }),
    });
    const content = await readJson(response);
    if (!response.ok) {
      throw readError(response.status, content);
    }
    return content;
  }

  async #send(url: string, init: RequestInit): Promise<Response> {
    try {
      return await ServerConnection.makeRequest(url, init, this.#serverSettings);
    } catch {
      throw new BackendError('unreachable'); // The browser does not say more than that.
    }
  }
}

/** The JSON of a response; `null` when it is none, as on a proxy's error page. */
async function readJson(response: Response): Promise<unknown> {
  try {
    return (await response.json()) as unknown;
  } catch {
    return null;
  }
}
