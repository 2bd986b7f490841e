/** Creates the backend in a kernel, with the record of its installation. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection, type ServiceManager } from '@jupyterlab/services';
import { HelperKernelBackend, type HelperKernelOptions } from './helper-kernel';
import { KernelSearch } from './kernel-search';
import {
  type InstallationRecord,
  readInstallationRecord,
  SpecMemory,
  type SpecMemoryOptions,
} from './spec-memory';

/** Options of {@link createHelperKernelBackend}. */
export interface CreateOptions
  extends
    Pick<HelperKernelOptions, 'lock' | 'onEvent' | 'timers'>,
    Pick<SpecMemoryOptions, 'storage'> {
  /** Jupyter's services. */
  readonly serviceManager: Pick<
    ServiceManager.IManager,
    'kernelspecs' | 'serverSettings' | 'sessions'
  >;
  /** The URL below which the server has the files of extensions. */
  readonly extensionsUrl: string;
}

/** Create the backend. */
export function createHelperKernelBackend(options: CreateOptions): HelperKernelBackend {
  const { serverSettings } = options.serviceManager;
  const memory = new SpecMemory({ ...options, serverUrl: serverSettings.baseUrl });
  const loadRecord = (): Promise<InstallationRecord> =>
    loadInstallationRecord(options.extensionsUrl, serverSettings);
  const search = new KernelSearch({ ...options, memory, loadRecord });
  return new HelperKernelBackend({ ...options, memory, search });
}

/** Load the file that `install-lab` writes; without it, nothing is known. */
async function loadInstallationRecord(
  extensionsUrl: string,
  serverSettings: ServerConnection.ISettings,
): Promise<InstallationRecord> {
  const url = URLExt.join(extensionsUrl, 'modelarts-magics-lab/static/helper-kernel.json');
  try {
    const response = await ServerConnection.makeRequest(url, { cache: 'no-store' }, serverSettings);
    return readInstallationRecord(response.ok ? await response.json() : null);
  } catch {
    return readInstallationRecord(null);
  }
}
