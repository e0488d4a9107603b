import { InshoreError } from '../error';

/** Takes the place of a module that did not exist when the page was built. `builds.ts` never picks such a build. */
export default function notBuilt(): never {
  throw new InshoreError('module_not_built', 'This build of the page lacks this module of the engine.');
}
