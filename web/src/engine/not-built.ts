import { InshoreError } from '../error';

/** Stands in for a module that did not exist when the page was built. `builds.ts` never picks such a build. */
export default function notBuilt(): never {
  throw new InshoreError('module_not_built', 'This build of the page lacks this module of the engine.');
}
