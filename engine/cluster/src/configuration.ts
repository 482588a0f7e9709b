/** `@millstream/cluster/configuration`: the configuration of a process, without the libraries that a cluster needs beside. */
export {
  CONFIGURATION_DIRECTORY_VARIABLE,
  type ConfigurationSources,
  type LoadedConfiguration,
  loadConfiguration,
  type OptionFlag,
} from './configuration/load-configuration.js';
