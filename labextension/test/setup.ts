/** Set-up of every test file. */

import { setImmediate } from 'node:timers/promises';
import { afterEach } from 'vitest';

// Most tests wait for promises alone. On a busy machine, the process would answer the runner too late.
afterEach(() => setImmediate());
