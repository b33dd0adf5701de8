package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/chaos"
	"caprice/kubernetes"
)

// ackOptions are the flags of 'caprice ack'.
type ackOptions struct {
	release release
	comment string
}

func ackCommand() *cobra.Command {
	var a ackOptions
	c := &cobra.Command{
		Use:   "ack KILL --comment COMMENT",
		Short: "Say that somebody has looked after a kill that did not recover",
		Long: `Ack writes your name and a comment on the record of a kill whose workload did not recover.

It needs the right to patch kills, which the chart gives to the role edit. The API server sees to it that the name is yours, and
that nothing else of the record changes, and what another has acknowledged stays as it is.`,
		Example: `  caprice ack 20261124-101500-0123456789abcdef -n shop --comment "the probe was too slow, fixed"`,
		Args:    one(aKill),
		RunE: func(c *cobra.Command, args []string) error {
			return a.run(c.Context(), args[0], c.OutOrStdout())
		},
	}
	a.release.flags(c)
	c.Flags().StringVar(&a.comment, "comment", "", "`what` was found, for those who read the record")
	c.ValidArgsFunction = a.release.completeKill
	return c
}

func (a ackOptions) run(ctx context.Context, name string, stdout io.Writer) error {
	if a.comment == "" {
		return errors.New(`--comment is empty: want what was found, as in --comment "the probe was too slow, fixed"`)
	}
	client, err := a.release.client(ctx)
	if err != nil {
		return err
	}
	namespace, err := a.release.here()
	if err != nil {
		return err
	}
	kill, err := killOf(ctx, client, namespace, name)
	if err != nil {
		return err
	}
	name = kill.Name
	switch verdict := kill.Status.Verdict; verdict {
	case v1alpha1.Verdict(chaos.NotRecovered):
	case "":
		return fmt.Errorf("kill %s has not ended yet: want one whose verdict is %s", name, chaos.NotRecovered)
	default:
		return fmt.Errorf("kill %s is %s and needs no acknowledgement: want one whose verdict is %s", name, verdict, chaos.NotRecovered)
	}
	me, err := client.Me(ctx)
	if err != nil {
		return err
	}
	if by := kill.Annotations[v1alpha1.AcknowledgedBy]; kill.Acknowledged() && by != me {
		return fmt.Errorf("kill %s was acknowledged by %s already: %s", name, by, kill.Annotations[v1alpha1.AcknowledgedComment])
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": kill.ResourceVersion, // of two who acknowledge at once, one is told
		"annotations":     map[string]string{v1alpha1.AcknowledgedBy: me, v1alpha1.AcknowledgedComment: a.comment},
	}})
	if err != nil {
		return err
	}
	if _, err := client.Kills(namespace).Patch(ctx, name, types.MergePatchType, patch, meta.PatchOptions{}); err != nil {
		return kubernetes.Plain(err)
	}
	_, err = fmt.Fprintf(stdout, "kill/%s acknowledged by %s: %s\n", name, me, a.comment)
	return err
}

// killOf reads one kill.
func killOf(ctx context.Context, client *kubernetes.Client, namespace, name string) (*v1alpha1.Kill, error) {
	name = bare("kill", name)
	kill, err := client.Kills(namespace).Get(ctx, name, meta.GetOptions{})
	if kubernetes.Absent(err) {
		return nil, fmt.Errorf("no kill %s in namespace %s: want one of 'caprice kills -n %s'", name, namespace, namespace)
	}
	if err != nil {
		return nil, kubernetes.Plain(err)
	}
	kill.TypeMeta = killMeta
	return kill, nil
}
