/** Packages that only some commands need. */
import { MillstreamError } from 'millstream';
import { ownVersion } from './own-version.js';

/** Loads a package of Millstream by `load`. Throws PACKAGE_NOT_INSTALLED with the command that mends it. */
export async function loadOptionalPackage<T>(name: string, purpose: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Another package that is missing is a defect of the one that needs it.
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes(`'${name}'`)) throw error;
    throw new MillstreamError(
      'PACKAGE_NOT_INSTALLED',
      `Cannot ${purpose}: the package ${name} is not installed. npm install ${name}@${ownVersion()}`,
      { details: { package: name }, cause: error },
    );
  }
}
