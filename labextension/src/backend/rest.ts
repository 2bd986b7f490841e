/** The backend in the Jupyter server: the REST API of the server extension. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { BackendError, type BackendRequest, type IBackend } from '../tokens';
import { readError } from './validate';

const BASE_PATH = 'modelarts-magics/v1';

/** Sends requests to the server extension. Jupyter's connection adds token and XSRF header. */
export class RestBackend implements IBackend {
  /** {@inheritDoc IBackend.kind} */
  readonly kind = 'server-extension';
  /** {@inheritDoc IBackend.pushesEvents} */
  readonly pushesEvents = true;
  readonly #serverSettings: ServerConnection.ISettings;

  constructor(settings: ServerConnection.ISettings) {
    this.#serverSettings = settings;
  }

  /** Do nothing. */
  dispose(): void {
    // There is nothing to release: the connection belongs to Jupyter.
  }

  /** Send a request. */
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
      // The browser does not report the reason.
      throw new BackendError('unreachable');
    }
  }
}

/** Return the JSON of a response; `null` when it is something else, such as a proxy's error page. */
async function readJson(response: Response): Promise<unknown> {
  try {
    return (await response.json()) as unknown;
  } catch {
    return null;
  }
}
