package kubernetes

import (
	"caprice/api/v1alpha1"
)

type (
	// Kills is the API of kills.
	Kills = Collection[*v1alpha1.Kill, *v1alpha1.KillList]
	// Halts is the API of halts.
	Halts = Collection[*v1alpha1.Halt, *v1alpha1.HaltList]
	// Hypotheses is the API of hypotheses.
	Hypotheses = Collection[*v1alpha1.Hypothesis, *v1alpha1.HypothesisList]
)

// Kills returns the kills of a namespace; of none, those of all, to be listed and watched.
func (c *Client) Kills(namespace string) *Kills {
	return listerOf[v1alpha1.Kill, v1alpha1.KillList](c.groups.custom, "kills", namespace)
}

// Halts returns the halts of a namespace; of none, those of all, to be listed and watched.
func (c *Client) Halts(namespace string) *Halts {
	return listerOf[v1alpha1.Halt, v1alpha1.HaltList](c.groups.custom, "halts", namespace)
}

// Hypotheses returns the hypotheses of a namespace; of none, those of all, to be listed and watched.
func (c *Client) Hypotheses(namespace string) *Hypotheses {
	return listerOf[v1alpha1.Hypothesis, v1alpha1.HypothesisList](c.groups.custom, "hypotheses", namespace)
}
